"""Trains drafting heads on a frozen model's own replies.

The loss of the token d places ahead is weighted by 0.8^d (Medusa, arXiv 2401.10774). Half of it is the
cross-entropy with the model's token, half that with the model's distribution (EAGLE-3, 2503.01840).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from ....actions.errors import UsageError
from ....env.private_files import private_folder
from ...training_loop import TrainingProgress, save_state, train_until
from ..drafters.medusa import RANKS, MedusaHeads
from ..drafters.output import DraftOutput, draft_vocabulary
from .checkpoint import Fingerprint, HeadConfig, Heads, Method, TrainedHeads, build_heads, output_weight
from .replies import RecordedReply

if TYPE_CHECKING:
    from ...checkpoints.checkpoint import Checkpoint

DECAY: Final = 0.8
HELD_OUT: Final = 10
"""One of so many replies is held out to measure the heads."""
_SAVE_SECONDS: Final = 60.0
Report = Callable[[TrainingProgress], object]


@dataclass(frozen=True)
class HeadTrainingPlan:
    """Hyperparameters.

    Attributes:
        depth: number of heads, or of steps that MTP chains are unrolled for.
        rate: the highest learning rate; it warms up for 5 % of the steps and falls to zero (cosine).
        soft: weight of the model's distribution in the loss; the rest is that of its tokens.
    """

    method: Method
    steps: int = 1000
    depth: int = 4
    batch: int = 8
    rate: float = 3e-3
    soft: float = 0.5
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """The learning rate of an update."""
        warm = max(1, self.steps // 20)
        return self.rate * min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / self.steps)))


class HeadTrainer:
    """Heads in training on the replies of a model, which is not changed.

    Raises:
        UsageError: there are too few replies.
    """

    def __init__(self, checkpoint: Checkpoint, replies: Sequence[RecordedReply], plan: HeadTrainingPlan) -> None:
        usable = [reply for reply in replies if len(reply) > 1]
        self._held_out = usable[::HELD_OUT]
        self._replies = [reply for index, reply in enumerate(usable) if index % HELD_OUT]
        if not self._replies:
            raise UsageError(f"{len(usable)} replies are too few to learn from; ask for more --prompts")
        self.plan = plan
        self.step = 0
        self._checkpoint = checkpoint
        model = cast("Any", checkpoint.model)
        weight = output_weight(checkpoint)
        self._device = weight.device
        self._embedding = model.get_input_embeddings()
        ids = draft_vocabulary([reply.ids for reply in self._replies], len(weight))
        self.output = DraftOutput(weight, ids).to(torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            heads = build_heads(plan.method, model.config.text_config, plan.depth, self._own)
        if isinstance(heads, MedusaHeads):
            heads.begin(self.output)
        else:
            heads.begin(model.model.language_model.norm.weight.detach().float().cpu())
        self.heads: Heads = heads.to(self._device)
        self._optimizer = torch.optim.AdamW(self.heads.parameters(), lr=plan.rate, betas=(0.9, 0.98))
        half = self._device.type == "cuda" and not torch.cuda.is_bf16_supported()
        self._format = torch.float16 if half else torch.bfloat16
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=half)
        self._parts: dict[str, Any] = {"heads": self.heads, "optimizer": self._optimizer, "scaler": self._scaler}

    @property
    def _own(self) -> int:
        """Outputs of each Medusa head's own output layer; 0 where the model's is shared."""
        return len(self.output) if self.output.ids is None and self.plan.method == "medusa" else 0

    def train(self, report: Report = lambda progress: None, state: Path | None = None) -> bool:
        """Train to the end or until Ctrl-C; returns whether the end was reached.

        Args:
            report: called after every update.
            state: where to save the state, each minute and at the end.
        """

        def save() -> None:
            if state is not None:
                self.save(state)

        return train_until(self, self.plan.steps, lambda: {"loss": self.learn()}, report, save, _SAVE_SECONDS)

    def learn(self) -> float:
        """One update; returns the loss before it."""
        # The order depends on the step alone, so that resuming needs no state of a generator.
        draw = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + self.step)
        chosen = torch.randint(len(self._replies), (self.plan.batch,), generator=draw).tolist()
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate_at(self.step)
        self.heads.train()
        loss = self._loss([self._replies[index] for index in chosen])
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.clip_grad_norm_(self.heads.parameters(), 1.0)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def accuracies(self) -> tuple[tuple[float, ...], ...]:
        """Depths x ranks: accuracy of guesses on held-out replies, given that earlier ones were right."""
        self.heads.eval()
        ranks = min(RANKS, len(self.output))
        hits = torch.zeros(self.plan.depth, ranks, dtype=torch.float64)
        totals = torch.zeros(self.plan.depth, 1, dtype=torch.float64)
        for begin in range(0, len(self._held_out), self.plan.batch):
            ids, states, valid = self._collate(self._held_out[begin : begin + self.plan.batch])
            for depth, scores in enumerate(self._unroll(ids, states)):
                inside = valid[:, depth + 1 :]
                truth = self.output.places(ids[:, depth + 1 :])[inside]
                guesses = scores[inside].topk(ranks).indices
                hits[depth] += (guesses == truth[:, None]).sum(0).cpu()
                totals[depth] += len(truth)
        shares = hits / totals.clamp(min=1)
        return tuple(tuple(round(float(share), 4) for share in row) for row in shares)

    def trained(self) -> TrainedHeads:
        """The heads as they are now, with measured accuracies."""
        counts = {"steps": self.step, "replies": len(self._replies), "held_out": len(self._held_out)}
        config = HeadConfig(
            method=self.plan.method,
            base=Fingerprint.of(self._checkpoint),
            depth=self.plan.depth,
            own=self._own,
            accuracies=self.accuracies(),
            trained=counts | {"batch": self.plan.batch, "soft": self.plan.soft},
        )
        return TrainedHeads(self.heads, config, self.output.ids)

    def save(self, path: Path) -> None:
        """Write the state; a crash while writing leaves the previous file intact."""
        private_folder(path.parent)
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        save_state({"plan": asdict(self.plan), "replies": len(self._replies), "step": self.step} | parts, path)

    def resume(self, path: Path) -> None:
        """Resume from a file written by ``save``.

        Raises:
            UsageError: it is broken, or belongs to other replies or another plan.
        """
        try:
            state = torch.load(path, map_location=self._device, weights_only=True)
            plan, count = state["plan"], state["replies"]
        except Exception as error:
            raise UsageError(f"{path} cannot be resumed from ({error}); train without --resume") from error
        if plan != asdict(self.plan) or count != len(self._replies):
            raise UsageError(f"{path} was made with other options; repeat them or train without --resume")
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.step = state["step"]

    def _collate(self, replies: Sequence[RecordedReply]) -> tuple[Tensor, Tensor, Tensor]:
        """Padded ids and states and which are valid: replies x tokens (x hidden size)."""
        ids = pad_sequence([torch.tensor(reply.ids) for reply in replies], batch_first=True)
        states = pad_sequence([reply.states.float() for reply in replies], batch_first=True)
        lengths = torch.tensor([len(reply) for reply in replies])
        valid = torch.arange(ids.shape[1]) < lengths[:, None]
        return ids.to(self._device), states.to(self._device), valid.to(self._device)

    def _unroll(self, ids: Tensor, states: Tensor) -> list[Tensor]:
        """Per depth d, logits of the tokens from d + 1 on: replies x tokens x draft vocabulary."""
        with torch.no_grad():
            embeddings = self._embedding(ids).float()
        with torch.autocast(self._device.type, self._format, enabled=self._device.type == "cuda"):
            if isinstance(self.heads, MedusaHeads):
                return self.heads.unroll(states, embeddings, self.output)
            return self.heads.unroll(states, embeddings, self.output, self.plan.depth)

    def _loss(self, replies: Sequence[RecordedReply]) -> Tensor:
        ids, states, valid = self._collate(replies)
        with torch.no_grad():
            wanted = self.output.score(states).softmax(-1)
            places = self.output.places(ids)
        loss = torch.zeros((), device=self._device)
        for depth, scores in enumerate(self._unroll(ids, states)):
            later = slice(depth + 1, None)
            inside = valid[:, later]
            if not bool(inside.any()):
                break
            logs, truth = scores[inside].float().log_softmax(-1), places[:, later][inside]
            soft = -(wanted[:, later][inside] * logs).sum(-1).mean()
            hard = functional.nll_loss(logs, truth, ignore_index=-1, reduction="sum") / len(truth)
            loss = loss + DECAY**depth * (self.plan.soft * soft + (1 - self.plan.soft) * hard)
        return loss
