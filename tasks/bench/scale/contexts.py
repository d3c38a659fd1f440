"""Prefill and decoding at given numbers of cached tokens: every way of drafting, and transformers' ``generate``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import torch

from ....actions.geometry import Size
from ....agent.decoding.engine import generate
from ....agent.decoding.layout import Segment, TextSegment, layout_prompt
from ....agent.decoding.policy_drafters import PolicyDrafters
from ....agent.decoding.session import Session
from ....agent.prompts.chatml import END, ChatFormat, message
from .drafters import made_drafters, small_model
from .forced import forced
from .peak import now
from .rows import ScaleRow
from .ui_replies import APPLICATIONS, ui_episode

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ....agent.checkpoints.shapes import ModelShape
    from ....agent.decoding.target import TargetModel
    from .forced import ForcedReply

Say = Callable[[str], object]
PHASES: Final = (("first", APPLICATIONS[0], 0), ("alike", APPLICATIONS[0], 1), ("new", APPLICATIONS[1], 0))
"""Replies to the first application ever, replies that resemble those, and replies to one more application."""
_EVERYWHERE: Final = ("auto",)
"""What is measured in all phases; the others in the first one, and ``plain`` in every second reply."""
_SIZE: Final = Size(1000, 1000)


@dataclass
class Spent:
    """What some replies took."""

    seconds: float = 0.0
    tokens: int = 0
    forwards: int = 0
    replies: int = 0

    @property
    def per_token(self) -> float:
        """Seconds per token."""
        return self.seconds / max(self.tokens, 1)


@dataclass
class ContextBench:
    """Measures one model; contexts must rise, as each goes on from the one before."""

    name: str
    shape: ModelShape
    target: TargetModel
    replies: int
    ways: Sequence[str]
    bandwidth: float
    say: Say

    def __post_init__(self) -> None:
        self.session = Session(self.target.network, self.target.checkpoint.image_spec)

    @torch.inference_mode()
    def rows(self, context: int) -> list[ScaleRow]:
        """Prefill up to so many tokens, then decode."""
        device = self.target.network.device
        started = now(device)
        read = self.session.prefill([self._filled(context)]).new_tokens
        seconds = now(device) - started
        rows = [
            ScaleRow(self.name, "prefill", f"{read} tokens", context, seconds, note=f"{read / seconds:.0f} tokens/s")
        ]
        model = self.target.checkpoint.model
        with forced(model, min(self.target.limits.stop_ids)) as reply, ExitStack() as stack:
            small = (
                stack.enter_context(small_model(self.shape, self.target))
                if {"draft", "generate"} & {*self.ways}
                else None
            )
            rows += self._decoding(context, reply, small)
            rows += self._transformers(context, reply, small) if small and "generate" in self.ways else []
        return rows

    def _filled(self, context: int) -> TextSegment:
        """So many tokens that no drafter learns from, as those of screenshots."""
        return TextSegment((self.target.network.image_token,) * context)

    def _encode(self, text: str) -> TextSegment:
        return TextSegment(tuple(self.target.checkpoint.tokenizer.encode(text, add_special_tokens=False)))

    def _prompts(self, context: int, application: str, number: int) -> Iterator[tuple[list[Segment], list[int], str]]:
        """The prompts of an episode, the reply to each, and the task."""
        episode = ui_episode(application, number)
        task = self.target.dialect.prompt(episode.instruction)
        prompt: list[Segment] = [self._filled(context), self._encode(message("user", task))]
        for text in episode.replies[: self.replies]:
            prompt = [*prompt, self._encode(ChatFormat.opening)]
            yield prompt, list(self._encode(text).ids), episode.instruction
            prompt = [*prompt, self._encode(text), self._encode(END)]

    def _decoding(
        self, context: int, reply: ForcedReply, small: tuple[PreTrainedModel, ForcedReply] | None
    ) -> list[ScaleRow]:
        ways = made_drafters(self.target, {"plain", *self.ways} - {"generate"}, small[0] if small else None)
        spent: dict[tuple[str, str], Spent] = {}
        for phase, application, number in PHASES:
            self.say(f"{self.name}: decoding at {context} tokens, {phase} replies")
            for index, (prompt, script, task) in enumerate(self._prompts(context, application, number)):
                start = layout_prompt(prompt, self.target.network.image_token).next_position
                reply.script(script, start)
                if small:
                    small[1].script(script, start)
                self.session.prefill(prompt)
                for name, way in ways.items():
                    chosen = name in _EVERYWHERE or (index % 2 == 0 if name == "plain" else phase == "first")
                    if chosen:
                        self._reply(way, prompt, script, task, spent.setdefault((phase, name), Spent()))
        return [self._decode_row(context, phase, name, spent) for phase, name in spent]

    def _reply(
        self, way: PolicyDrafters, prompt: Sequence[Segment], script: Sequence[int], task: str, spent: Spent
    ) -> None:
        device = self.target.network.device
        way.prepare(prompt, _SIZE, _SIZE)
        started = now(device)
        found = generate(
            self.session,
            prompt,
            self.target.limits,
            drafter=way.drafter,
            instruction=self._encode(task).ids,
            clock=way.clock,
        )
        spent.seconds += now(device) - started
        assert list(found.ids) == list(script), "a forced reply must be the script"
        spent.tokens += len(script) + 1
        spent.forwards += found.forwards + 1
        spent.replies += 1

    def _decode_row(self, context: int, phase: str, name: str, spent: dict[tuple[str, str], Spent]) -> ScaleRow:
        own, plain = spent[phase, name], spent[phase, "plain"]
        per_forward = own.seconds / max(own.forwards, 1)
        limit = self.bytes_per_forward(context) / self.bandwidth / per_forward
        faster, forwards = plain.per_token / own.per_token, own.forwards / own.replies
        return ScaleRow(self.name, "decode", f"{name}, {phase}", context, own.per_token, faster, forwards, limit)

    def bytes_per_forward(self, context: int) -> int:
        """What a forward of one token must read: the text layers, the output layer, and the cache."""
        model = cast("Any", self.target.checkpoint.model)
        layers = sum(
            weight.numel() * weight.element_size() for weight in model.model.language_model.layers.parameters()
        )
        head = model.lm_head.weight
        return int(layers + head.numel() * head.element_size() + self.cache_bytes(context))

    def cache_bytes(self, context: int) -> int:
        """Keys and values of so many tokens."""
        text = cast("Any", self.target.checkpoint.model).config.text_config
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        size = self.target.network.dtype.itemsize
        return int(2 * text.num_hidden_layers * text.num_key_value_heads * width * size * context)

    def _transformers(
        self, context: int, reply: ForcedReply, small: tuple[PreTrainedModel, ForcedReply]
    ) -> list[ScaleRow]:
        """``generate`` on the cache of the session, so that it decodes only: alone, and with its ways to draft."""
        ways: dict[str, dict[str, Any]] = {
            "generate": {},
            "generate, prompt lookup": {"prompt_lookup_num_tokens": 10},
            "generate, assistant": {"assistant_model": small[0]},
        }
        prompt, script, _ = list(self._prompts(context, *PHASES[0][1:]))[-1]
        ids = list(layout_prompt(prompt, self.target.network.image_token).ids)
        reply.script(script, len(ids))
        small[1].script(script, len(ids))
        self.session.prefill(prompt)
        rows: list[ScaleRow] = []
        for name, options in ways.items():
            self.say(f"{self.name}: decoding at {context} tokens by transformers' {name}")
            per_token = self._generate(ids, script, options)
            faster = rows[0].seconds / per_token if rows else 1.0
            rows.append(ScaleRow(self.name, "decode", name, context, per_token, faster))
        return rows

    def _generate(self, ids: Sequence[int], script: Sequence[int], options: dict[str, Any]) -> float:
        model, device = cast("Any", self.target.checkpoint.model), self.target.network.device
        prompt = torch.tensor([ids], device=device)
        model.model.rope_deltas = torch.zeros(1, 1, dtype=torch.long, device=device)
        prefilled: list[float] = []

        def note_time(seen: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            prefilled.append(now(device))
            return scores

        output = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            **{self.target.network.cache_name: self._copied_cache(len(ids) - 1)},
            max_new_tokens=self.target.limits.max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(self.target.limits.stop_ids),
            pad_token_id=min(self.target.limits.stop_ids),
            logits_processor=[note_time],
            **options,
        )
        seconds = now(device) - prefilled[0]
        assert output[0, len(ids) : len(ids) + len(script)].tolist() == list(script), (
            "a forced reply must be the script"
        )
        return seconds / len(script)

    def _copied_cache(self, length: int) -> Any:
        from transformers import DynamicCache

        copied: Any = DynamicCache()
        for index, layer in enumerate(cast("Any", self.session.cache).layers):
            copied.update(layer.keys[:, :, :length].clone(), layer.values[:, :, :length].clone(), index)
        return copied
