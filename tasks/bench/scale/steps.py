"""Steps of an episode at size: encode, prefill, decode, eviction, and the same by transformers without a cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import torch

from ....actions.geometry import Size
from ....agent.context import dropped_images
from ....agent.decoding.layout import layout_prompt
from ....agent.local import LocalPolicy
from ....agent.policy import Context, Turn
from ..baseline import TransformersBaseline
from ..screens import TimedReply, reply_of
from .forced import ForcedReply, forced
from .peak import now, peak_memory
from .rows import ScaleRow
from .ui_replies import APPLICATIONS, UiEpisode, ui_episode
from .ui_screens import ui_screen

if TYPE_CHECKING:
    from ....agent.checkpoints.checkpoint import Checkpoint

DIALECT: Final = "uitars-1.0"
IMAGES: Final = 5
STEPS: Final = 7
"""Screenshots are dropped at the sixth step."""
COMPARED: Final = 5
"""The step that transformers does, too, with five screenshots."""


@dataclass
class StepBench:
    """Plays one episode of a model; ``weights`` and ``cache_bytes`` say what memory it needs."""

    name: str
    checkpoint: Checkpoint
    screen: Size
    weights: int
    cache_bytes: Callable[[int], int]
    say: Callable[[str], object]

    def rows(self) -> list[ScaleRow]:
        """Each step, the fifth one by transformers too, and the peak of memory in Saccade's steps."""
        card = self.checkpoint.card.model_copy(update={"max_images": IMAGES})
        checkpoint = replace(self.checkpoint, card=card)
        policy = LocalPolicy(checkpoint, DIALECT)
        episode = ui_episode(APPLICATIONS[0], 0)
        turns = [Turn(ui_screen(self.screen, step), reply) for step, reply in enumerate(episode.replies)]
        contexts = [Context(episode.instruction, turns[step].screenshot, tuple(turns[:step])) for step in range(STEPS)]
        with forced(checkpoint.model, min(policy.limits.stop_ids)) as reply:
            with peak_memory(self._device) as peak:
                played = [self._play(policy, context, reply, episode) for context in contexts]
            rows = self._step_rows(played)
            cached = max(prompt for _, _, prompt in played) + policy.limits.max_new_tokens
            rows.append(self._memory_row(peak.bytes, cached))
            return [*rows, self._recomputed(policy, contexts[COMPARED - 1], reply, episode, rows[COMPARED - 1])]

    @property
    def _device(self) -> torch.device:
        return cast("Any", self.checkpoint.model).device  # type: ignore[no-any-return]

    def _clock(self) -> float:
        return now(self._device)

    def _play(
        self, policy: LocalPolicy, context: Context, reply: ForcedReply, episode: UiEpisode
    ) -> tuple[TimedReply, dict[str, float], int]:
        """One step: what it took, the phases by a clock on the wall, and the tokens of its prompt."""
        self.say(f"{self.name}: step {len(context.turns) + 1} of {STEPS} of an episode")
        self._script(policy, context, reply, episode)
        found = reply_of(policy, context, self._clock)
        assert found.text == episode.replies[len(context.turns)], "a forced reply must be the script"
        return found, policy.last_usage.timings, policy.last_usage.prompt_tokens

    def _script(self, policy: LocalPolicy, context: Context, reply: ForcedReply, episode: UiEpisode) -> None:
        ids = self.checkpoint.tokenizer.encode(episode.replies[len(context.turns)], add_special_tokens=False)
        image = cast("Any", self.checkpoint.model).config.image_token_id
        reply.script(ids, layout_prompt(policy.prompt(context), image).next_position)

    def _step_rows(self, played: Sequence[tuple[TimedReply, dict[str, float], int]]) -> list[ScaleRow]:
        rows: list[ScaleRow] = []
        for step, (found, timings, prompt) in enumerate(played, start=1):
            phases = {name: timings[name] for name in ("encode", "prefill", "decode")}
            whole = sum(phases.values())
            note = ", ".join(f"{name} {100 * seconds / whole:.0f} %" for name, seconds in phases.items())
            name = f"{step}" + (", dropped" if dropped_images(step, IMAGES) != dropped_images(step - 1, IMAGES) else "")
            faster = rows[-1].seconds / found.step if "dropped" in name else 0.0
            rows.append(ScaleRow(self.name, "step", name, prompt, found.step, faster, note=note))
        return rows

    def _memory_row(self, peak: int, cached: int) -> ScaleRow:
        needed = self.weights + self.cache_bytes(cached)
        more = 100 * (peak / needed - 1)
        note = f"{peak / 1e9:.2f} GB: weights {self.weights / 1e9:.2f} + cache {(needed - self.weights) / 1e9:.2f} GB"
        return ScaleRow(self.name, "memory", "peak", cached, note=f"{note} + {more:.0f} %")

    def _recomputed(
        self, policy: LocalPolicy, context: Context, reply: ForcedReply, episode: UiEpisode, step: ScaleRow
    ) -> ScaleRow:
        """A step as transformers does it, with the same prompt and nothing kept from the steps before."""
        self.say(f"{self.name}: step {COMPARED} by transformers, which keeps nothing")
        self._script(policy, context, reply, episode)
        baseline = TransformersBaseline(self.checkpoint, policy.limits, self._clock)
        found = baseline.reply(policy.prompt(context))
        assert found.text == episode.replies[len(context.turns)], "a forced reply must be the script"
        faster = step.seconds / found.step
        note = f"{1 / faster:.1f} times as long, decode {100 * found.decode / found.step:.0f} %"
        return ScaleRow(self.name, "step", f"{COMPARED}, generate", step.context, found.step, faster, note=note)
