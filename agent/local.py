"""The policy that runs a checkpoint in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch

from ..actions.dialects import Dialect, Reply, get_dialect
from ..actions.errors import ParseError, UsageError
from ..perception.observation import Screenshot
from .background_prefill import BackgroundPrefill
from .checkpoints.checkpoint import Checkpoint, load_checkpoint
from .checkpoints.model_card import with_max_images, with_max_pixels
from .context import PromptBuilder, task_message
from .decoding.engine import Generation, generate
from .decoding.layout import Segment
from .decoding.network import Network
from .decoding.policy_drafters import PolicyDrafters
from .decoding.sampling import GenerationLimits, Sampling
from .decoding.session import Session
from .decoding.target import TargetModel
from .decoding.verify import parse_acceptance
from .decoding.verify_replies import verify_replies
from .history import left_out, parse_history
from .policy import Context, PolicySettings, Prediction, Turn, UnreadableReply, Usage
from .prompts.chatml import ENDS
from .replay.expected import DialectPolicy, ExpectedReply, Verification
from .replay.reply_tokens import ReplyTokens

_BANNED = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|im_start|>")


class LocalPolicy(DialectPolicy):
    """Runs a Qwen-VL checkpoint; the KV cache of the conversation is kept from step to step.

    Args:
        checkpoint: loaded, or what ``load_checkpoint`` takes. Policies may share a loaded one.
        dialect: the dialect or its name; by default the card's.
        temperature: 0 is greedy decoding.
        top_p: draw only from the likeliest tokens that together reach this probability.
        seed: of sampling, together with the number of the step.
        max_new_tokens: replies are cut off here; by default the card's.
        decoding: what drafts replies: ``auto``, ``plain`` for nothing, or methods joined by ``+``, such as
            ``suffix+grammar`` (docs/decoding.md).
        constrained: restrict replies to the grammar of the dialect, so that each that ends can be parsed.
        max_images: the maximum number of screenshots in the context; by default the card's.
        max_pixels: screenshots are shrunk to so many pixels; by default as the checkpoint says.
        history: ``full``; or ``changed`` or ``text``, which shorten the prompt and may change replies.
        acceptance: ``exact``, with which drafts never change a reply, or ``typical``, which is faster and lossy.

    Attributes:
        limits: stop tokens, banned tokens and maximum length of its replies.
        last_usage: what the last reply cost, even if it could not be parsed.
        last_ids: the tokens of the last reply as the model chose them, with the one that ended it, if one did.

    Raises:
        MissingPartError: the checkpoint, or a part of it, is missing.
        UsageError: the checkpoint, the dialect or an option cannot be used, or there is no grammar.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | str | Path,
        dialect: str | Dialect | None = None,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_new_tokens: int | None = None,
        decoding: str = "auto",
        constrained: bool = False,
        acceptance: str = "exact",
        max_images: int | None = None,
        max_pixels: int | None = None,
        history: str = "full",
    ) -> None:
        self._checkpoint = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
        card = with_max_images(self._checkpoint.card, max_images)
        self._max_images, self._max_pixels = max_images, max_pixels
        self._spec = with_max_pixels(self._checkpoint.image_spec, max_pixels)
        self._history = parse_history(history)
        dialect = dialect or card.dialect
        dialect = get_dialect(dialect) if isinstance(dialect, str) else dialect
        super().__init__(dialect, card, self._spec.limits)
        self._network = Network(self._checkpoint.model)
        self.limits = _limits(self._checkpoint, self._network, max_new_tokens)
        self._acceptance = parse_acceptance(acceptance)
        try:
            self._sampling = Sampling(temperature, top_p, seed)
        except ValueError as error:
            raise UsageError(str(error)) from error
        self._prefill = BackgroundPrefill()
        self._tokens = ReplyTokens(self._checkpoint.tokenizer, _end_of_turn(self._checkpoint, self.limits))
        self._target = TargetModel(self._checkpoint, self._network, dialect, self.limits)
        self._drafters = PolicyDrafters(self._target, decoding)
        self._constrained = constrained
        if constrained:
            self._target.grammar()  # before any episode
        self.last_usage = Usage()
        self.last_ids: tuple[int, ...] = ()
        self.start()

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._checkpoint.name

    @property
    def target(self) -> TargetModel:
        """The model that its drafters draft for."""
        return self._target

    @property
    def decoding(self) -> tuple[str, ...]:
        """The names of its drafters; none for plain decoding."""
        return self._drafters.methods

    @property
    def settings(self) -> PolicySettings:
        """The settings that its replies depend on."""
        return PolicySettings(
            dialect=self.dialect,
            temperature=self._sampling.temperature,
            decoding=self.decoding,
            constrained=self._constrained,
            acceptance=None if self._acceptance == "exact" else self._acceptance,
            fingerprint=self.fingerprint,
            max_images=self._max_images,
            max_pixels=self._max_pixels,
            history=None if self._history == "full" else self._history,
        )

    def start(self) -> None:
        """Begin a new episode with an empty cache; drafters remember earlier episodes."""
        checkpoint = self._checkpoint
        self._prefill.finish(None)
        self._prefill = BackgroundPrefill()
        self._session = Session(self._network, self._spec)
        self._prompts = PromptBuilder(
            lambda text: checkpoint.tokenizer.encode(text, add_special_tokens=False),
            task_message(self._dialect, self._card),
            self._card,
            checkpoint.chat,
            self._spec,
            self._history,
            self._actions_of,
        )

    def predict(self, context: Context) -> Prediction:
        """Reply to the newest screenshot.

        Raises:
            UnreadableReply: the reply cannot be parsed; the error carries it and what it cost.
            UsageError: the screenshot is too narrow or too low for the model, or the model is broken.
        """
        ahead = self._prefill.finish(context.screenshot)
        prompt, self.last_ids = self.prompt(context), ()
        self._drafters.prepare(prompt, *self._sizes(context))
        generation = self._generate(prompt, context)
        self.last_ids = generation.ids + (self.reply_ids("") if generation.finished else ())
        raw = self._checkpoint.tokenizer.decode(generation.ids, skip_special_tokens=False)
        self._prompts.remember(len(context.turns), raw, generation.ids)
        self.last_usage = _usage(generation, ahead, left_out(prompt))
        started = time.perf_counter()
        try:
            reply = self._parse(raw, context)
        except ParseError as error:
            raise UnreadableReply(error, self.last_usage) from error
        finally:
            self.last_usage.timings["parse"] = time.perf_counter() - started
        return Prediction(reply, raw, self.last_usage)

    @property
    def fingerprint(self) -> str | None:
        """A hash of all that determines its replies; None if they are sampled or accepted lossily."""
        exact = self._sampling.temperature == 0 and self._acceptance == "exact"
        return self._fingerprint if exact else None

    @cached_property
    def _fingerprint(self) -> str:
        # Recordings and evaluations hold this hash, so the text must stay the same, the card's first name included.
        card = repr(self._card).removeprefix("Model")
        settings = f"({self.dialect!r}, {card}, {self.limits.max_new_tokens}, {self._constrained})"
        if self._max_pixels is not None or self._history != "full":
            settings += f" {self._max_pixels} {self._history}"
        if self._card.max_replies is not None:
            settings += f" replies {self._card.max_replies}"
        return self._checkpoint.fingerprint(settings)

    def verify(self, context: Context, expected: Sequence[ExpectedReply], tolerance: float = 0.0) -> Verification:
        """Say in one forward which of some replies it would give itself (greedily); see ``VerifyingPolicy``.

        Raises:
            UsageError: the screenshot is too narrow or too low for the model, or the model is broken.
        """
        ahead = self._prefill.finish(context.screenshot)
        replies = [self._tokens.spell(each, lambda raw: self._parse(raw, context), tolerance) for each in expected]
        prompt = self.prompt(context)
        with self._finite_scores():
            found = verify_replies(self._session, prompt, replies, self.limits)
        timings = found.timings | ({"ahead": ahead} if ahead else {})
        usage = Usage(prompt_tokens=found.prompt_tokens, left_out_tokens=left_out(prompt), timings=timings)
        if found.index is None:
            return Verification(None, None, usage)
        raw, ids = expected[found.index].raw, replies[found.index].ids[:-1]
        self._prompts.remember(len(context.turns), raw, ids)
        usage = usage.model_copy(update={"reply_tokens": len(ids), "accepted_tokens": len(ids)})
        return Verification(found.index, Prediction(self._parse(raw, context), raw, usage), usage)

    def prefetch(self, context: Context, *, certain: bool = False) -> None:
        """Encode and prefill in the background what ``predict`` will probably be called with next, or certainly.

        ``predict`` reuses what fits and drops the rest. Once a guess is known to be wrong, no more than its
        image is encoded.
        """
        self._prefill.start(context.screenshot, lambda wanted: self._read(context, wanted), certain=certain)

    def prefetch_history(self, context: Context) -> None:
        """Prefill in the background what is left of the conversation where the next prompt drops screenshots."""
        self._prefill.prepare(lambda wanted: self._read_history(context, wanted))

    def prompt(self, context: Context) -> list[Segment]:
        """The prompt of a step.

        Raises:
            UsageError: a screenshot is too narrow or too low for the model.
        """
        try:
            return self._prompts.build(context)
        except ValueError as error:
            raise UsageError(str(error)) from error

    def written(self, reply: Reply, screenshot: Screenshot) -> str:
        """A reply as the model is to write it.

        Raises:
            UsageError: its dialect cannot express it, or a point is off the screenshot.
        """
        return self._dialect.render(reply, *self._sizes(Context("", screenshot)))

    def reply_ids(self, raw: str) -> tuple[int, ...]:
        """The tokens of a reply and the one that ends it."""
        return self._tokens.ids(raw)

    def _actions_of(self, turn: Turn) -> str:
        """A turn's reply without its thought; as it is, where it cannot be read or written."""
        sizes = self._sizes(Context("", turn.screenshot))
        try:
            return self._dialect.render(Reply("", self._dialect.parse(turn.reply, *sizes).actions), *sizes)
        except (ParseError, UsageError):
            return turn.reply

    @torch.inference_mode()
    def _read(self, context: Context, wanted: Callable[[], bool]) -> None:
        self._session.read_ahead(self.prompt(context), wanted)

    @torch.inference_mode()
    def _read_history(self, context: Context, wanted: Callable[[], bool]) -> None:
        history = self._prompts.history(context)
        if not self._session.holds(history):
            self._session.read_ahead(history, wanted)

    def _generate(self, prompt: Sequence[Segment], context: Context) -> Generation:
        sampling = replace(self._sampling, seed=self._sampling.seed + len(context.turns))
        instruction = self._checkpoint.tokenizer.encode(context.instruction, add_special_tokens=False)
        constraint = self._target.grammar(*self._sizes(context)) if self._constrained else None
        with self._finite_scores():
            return generate(
                self._session,
                prompt,
                self.limits,
                sampling,
                self._drafters.drafter,
                acceptance=self._acceptance,
                constraint=constraint,
                instruction=instruction,
                clock=self._drafters.clock,
            )

    @contextmanager
    def _finite_scores(self) -> Iterator[None]:
        """Report scores that are not numbers as an error of the checkpoint."""
        try:
            yield
        except FloatingPointError as error:
            raise UsageError(f"{self.name} cannot decide: {error}; load it in float32, or check its weights") from error


def _usage(generation: Generation, ahead: float, omitted: int) -> Usage:
    return Usage(
        prompt_tokens=generation.prefill.prompt_tokens,
        left_out_tokens=omitted,
        reply_tokens=len(generation.ids),
        forwards=generation.forwards,
        accepted_tokens=generation.accepted_tokens,
        timings=generation.timings | ({"ahead": ahead} if ahead else {}),
    )


def _end_of_turn(checkpoint: Checkpoint, limits: GenerationLimits) -> int:
    """The token that ends a reply."""
    vocabulary = checkpoint.vocabulary
    return next((vocabulary[text] for text in ENDS if vocabulary.get(text) in limits.stop_ids), min(limits.stop_ids))


def _limits(checkpoint: Checkpoint, network: Network, max_new_tokens: int | None) -> GenerationLimits:
    """Stop at the checkpoint's end tokens; ban image tokens and ids without a text."""
    vocabulary = checkpoint.vocabulary
    configured = getattr(checkpoint.model.generation_config, "eos_token_id", None)
    stops = set(configured if isinstance(configured, list) else [configured]) - {None}
    stops |= {vocabulary[token] for token in ENDS if token in vocabulary}
    banned = set(range(network.vocabulary)) - set(vocabulary.values())
    banned |= {vocabulary[token] for token in _BANNED if token in vocabulary} | {network.image_token}
    if not stops:
        raise UsageError(
            f"{checkpoint.name} has no token that ends a reply; set eos_token_id in generation_config.json"
        )
    limit = max_new_tokens or checkpoint.card.max_new_tokens
    return GenerationLimits(frozenset(stops), frozenset(banned - stops), limit)
