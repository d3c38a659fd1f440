"""One training step: the forward pass, the losses and the optimiser's state."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from ..training_loop import save_state
from .batches import IGNORED, Batch, Encoder
from .losses import AuxiliaryHeads, ReplyLoss, char_loss, element_loss, extent_loss, letter_loss, pointer_loss
from .tokenizer import letter_ids, number_ids
from .tower import BatchedLanguage, BatchedTower


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; ``words`` of zero trains the tower alone, on reading.

    ``seeing`` scales what the tower learns from all but the character loss: the language model's early
    gradients are large and blunt, and at full strength they stop the tower from learning to read.
    """

    words: float = 1.0
    typed: float = 0.5
    places: float = 1.0
    pointer: float = 0.5
    extent: float = 1.0
    chars: float = 0.5
    letters: float = 0.3
    roles: float = 0.2
    centres: float = 2.0
    seeing: float = 0.2


def optimizers(model: Any, heads: AuxiliaryHeads) -> list[torch.optim.Optimizer]:
    """Muon (arXiv 2502.16982) for the matrices of the layers, AdamW for embeddings, vectors and training-only heads.

    Both take the same rate.
    """
    layers = {
        id(weight): weight
        for name, weight in model.named_parameters()
        if weight.ndim == 2 and ("layers." in name or "blocks." in name or "merger." in name)
    }
    others = [p for p in (*model.parameters(), *heads.parameters()) if id(p) not in layers]
    matrices = {"params": [p for p in others if p.ndim >= 2], "weight_decay": 0.01}
    vectors = {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0}
    return [
        torch.optim.Muon(layers.values(), lr=1e-3, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([matrices, vectors], lr=1e-3, betas=(0.9, 0.98)),
    ]


class PolicyTrainer:
    """A model in training, with everything needed to go on after an interruption."""

    def __init__(
        self, model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, device: torch.device
    ) -> None:
        self.model: Any = model.to(device)  # type: ignore[arg-type]
        self.tokenizer = tokenizer
        self.device = device
        self.encoder = Encoder(tokenizer)
        config: Any = model.config
        self.heads = AuxiliaryHeads(config.vision_config.hidden_size, config.text_config.hidden_size).to(device)
        self.tower = BatchedTower(model.model.visual)
        self._language = BatchedLanguage(model.model.language_model)
        self.letters = letter_ids(tokenizer)
        self.reply_loss = ReplyLoss(number_ids(tokenizer), self.letters, config.text_config.vocab_size)
        self.parameters = [*model.parameters(), *self.heads.parameters()]
        self.optimizers = optimizers(self.model, self.heads)
        self.step = 0
        self.stage: tuple[str, int] = ("", 0)

    def learn(self, batch: Batch, weights: LossWeights, rate: float, heads_only: bool = False) -> dict[str, float]:
        """Take one step and return the losses as numbers; new heads can go first, while the model waits."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        self.model.train().requires_grad_(not heads_only)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            losses = self.losses(batch.to(self.device), weights)
        total = torch.stack([getattr(weights, n) * v for n, v in losses.items() if hasattr(weights, n)]).sum()
        for parameter in self.parameters:
            parameter.grad = None
        total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        if math.isfinite(float(norm)):
            for optimizer in self.optimizers:
                optimizer.step()
        self.step += 1
        return {name: float(value.detach()) for name, value in losses.items()} | {"norm": float(norm)}

    def losses(self, batch: Batch, weights: LossWeights) -> dict[str, Tensor]:
        """Every loss that ``weights`` asks for, and the accuracies that go with them."""
        hidden, merged = self.tower(batch.patches, batch.grid)
        found: dict[str, Tensor] = {}
        if weights.chars:
            found["chars"], found["read"] = char_loss(self.heads.char_logits(hidden), batch.chars)
            found["roles"], found["centres"] = element_loss(self.heads, hidden, batch.roles, batch.centres)
        if not weights.words:
            return found
        embeddings = self.model.get_input_embeddings().weight[self.letters]
        found["letters"] = letter_loss(merged, embeddings, batch.chars)
        gently = merged.detach() + weights.seeing * (merged - merged.detach())
        last, middle = self.language(batch, gently)
        rows, columns = (batch.labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
        logits = self.model.lm_head(last[rows, columns])
        coordinate = torch.zeros_like(batch.labels, dtype=torch.bool)
        row, place, _ = batch.queries.unbind(1)
        coordinate[row, place] = coordinate[row, place + 2] = True
        found |= self.reply_loss(logits, batch.labels[rows, columns + 1], coordinate[rows, columns])
        if len(batch.queries):
            found |= self._grounding(batch, last, middle, merged.shape[1])
        return found

    def language(self, batch: Batch, merged: Tensor) -> tuple[Tensor, Tensor]:
        """The language model's last hidden states, normed, and those that the pointer is read from."""
        embedded = self.model.get_input_embeddings()(batch.ids)
        places = (batch.ids == self.encoder.image_id)[..., None]
        features = merged[batch.pictures].flatten(0, 1).to(embedded.dtype)
        embedded = embedded.masked_scatter(places, features)
        return self._language(embedded, batch.positions, (batch.ids != self.encoder.pad_id).sum(1))

    def _grounding(self, batch: Batch, last: Tensor, middle: Tensor, count: int) -> dict[str, Tensor]:
        row, place, start = batch.queries.unbind(1)
        visual = middle[row[:, None], start[:, None] + torch.arange(count, device=self.device)]
        pointer, pointed = pointer_loss(self.heads.query(last[row, place]), self.heads.key(visual), batch.targets)
        extent = extent_loss(self.heads.extent(visual).squeeze(-1), batch.inside)
        return {"pointer": pointer, "pointed": pointed, "extent": extent}

    def compile(self) -> None:
        """Compile both forward passes; the first steps then take a minute each."""
        self.tower.compile()
        self._language.compile()

    def save(self, file: Path, rng: random.Random) -> None:
        """Write the whole state."""
        state = {name: getattr(self, name).state_dict() for name in ("model", "heads")}
        state["optimizers"] = [optimizer.state_dict() for optimizer in self.optimizers]
        state |= {"step": self.step, "stage": self.stage, "rng": rng.getstate(), "torch": torch.get_rng_state()}
        save_state(state, file)

    def start_from(self, file: Path) -> None:
        """Take over what fits from another run's state, or from a checkpoint's folder, which has no heads."""
        if file.is_dir():
            stock: Any = Qwen3VLForConditionalGeneration
            state = {"model": stock.from_pretrained(file, dtype=torch.float32).state_dict(), "heads": {}}
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
        for part, found in ((self.model, state["model"]), (self.heads, state["heads"])):
            own = part.state_dict()
            part.load_state_dict({k: v for k, v in found.items() if own[k].shape == v.shape}, strict=False)

    def load(self, file: Path, rng: random.Random) -> None:
        """Go on from a file written by ``save``."""
        state = torch.load(file, map_location="cpu", weights_only=True)
        for name in ("model", "heads"):
            getattr(self, name).load_state_dict(state[name])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step = state["step"]
        self.stage = tuple(state["stage"])
        version, numbers, gauss = state["rng"]
        rng.setstate((version, tuple(numbers), gauss))
        torch.set_rng_state(state["torch"])
