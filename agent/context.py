"""Writes a step's prompt from the episode so far; each prompt continues the one before, so that its cache is reused.

The conversation is ChatML. The first user message is the dialect's prompt with the instruction, or the bare
instruction (``ModelCard.prompt``). Each step follows as a user message with the screenshot, the assistant's
reply, and a user message of text if there is feedback. The newest screenshot comes last. Feedback on what
happened before the first step follows the first message.

When there are more than ``max_images`` screenshots, the oldest are dropped at once, down to half of that: so
the cached prefix is lost once in many steps and not at every step. As in UI-TARS's training, a dropped
screenshot's whole message goes and all replies are kept; for a model that was trained on short episodes only
(``ModelCard.forgets``) the replies go too. A model may be shown its newest replies only (``ModelCard.max_replies``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..actions.dialects import Dialect
from ..perception.observation import Screenshot
from ..perception.resize import ImageSpec
from .checkpoints.model_card import ModelCard
from .decoding.layout import ImageSegment, Segment, TextSegment
from .history import ChangedTokens, History
from .policy import Context, Turn
from .prompts.chatml import END, PICTURE_AFTER, PICTURE_BEFORE, ChatFormat, message


def dropped_images(seen: int, max_images: int) -> int:
    """How many of the oldest of ``seen`` screenshots are dropped, so that at most ``max_images`` remain.

    With a maximum of 5: 5 of 5 are kept, then 2 of 6, 3 of 7, 4 of 8, 5 of 9, then 2 of 10.
    """
    if seen <= max_images:
        return 0
    period = max_images - max(1, max_images // 2) + 1
    return -(-(seen - max_images) // period) * period


@dataclass(frozen=True)
class Message:
    """One message of a conversation: a text or a screenshot; a reply has the index of its turn."""

    role: Literal["user", "assistant"]
    content: str | Screenshot
    turn: int = -1


def task_message(dialect: Dialect, card: ModelCard) -> Callable[[str], str]:
    """The function from an instruction to the text of the first message."""
    return dialect.prompt if card.prompt == "standard" else str


def conversation(context: Context, card: ModelCard, max_replies: int | None = None) -> Iterator[Message]:
    """The messages after the first one, up to the newest screenshot; with ``max_replies`` at most so many replies."""
    if context.feedback is not None:
        yield Message("user", context.feedback)
    dropped = dropped_images(len(context.turns) + 1, card.max_images)
    forgotten = 0 if max_replies is None else dropped_images(len(context.turns) + 1, max_replies + 1)
    if card.max_replies is not None:
        forgotten = max(forgotten, len(context.turns) - card.max_replies)
    for index, turn in enumerate(context.turns):
        if index < forgotten or (index < dropped and card.forgets):
            continue
        if index >= dropped:
            yield Message("user", turn.screenshot)
        yield Message("assistant", turn.reply, index)
        if turn.feedback is not None:
            yield Message("user", turn.feedback)
    yield Message("user", context.screenshot)


class PromptBuilder:
    """Writes one episode's prompts.

    Every message is tokenised on its own and a reply keeps the tokens that the model chose, so the prompt of a
    step is a prefix of the next one's until screenshots are dropped.

    Args:
        encode: knows special tokens.
        first_message: makes the first user message from the instruction.
        card: the model's.
        chat: what its template adds around messages.
        spec: how screenshots are cut for it.
        history: how much of earlier steps is shown; with ``text``, ``action_text`` writes the actions of a turn.
    """

    def __init__(
        self,
        encode: Callable[[str], Sequence[int]],
        first_message: Callable[[str], str],
        card: ModelCard,
        chat: ChatFormat,
        spec: ImageSpec,
        history: History = "full",
        action_text: Callable[[Turn], str] = lambda turn: turn.reply,
    ) -> None:
        self._encode = encode
        self._first_message = first_message
        only_text = history == "text"
        self._card = card.model_copy(update={"max_images": 1, "forgets": False}) if only_text else card
        self._chat = chat
        self._spec = spec
        self._action_text = action_text if only_text else None
        self._changed = ChangedTokens(spec) if history == "changed" else None
        self._texts: dict[str, TextSegment] = {}
        self._replies: dict[int, tuple[str, TextSegment]] = {}

    def remember(self, turn: int, reply: str, ids: Sequence[int]) -> None:
        """Keep the tokens of a turn's reply: its text could be tokenised in other ways too."""
        self._replies[turn] = (reply, TextSegment(tuple(ids)))

    def build(self, context: Context) -> list[Segment]:
        """The whole prompt.

        Raises:
            ValueError: a screenshot's sides are beyond a ratio of 200.
        """
        first = message("user", self._first_message(context.instruction))
        prompt: list[Segment] = [self._text(self._chat.preamble + first)]
        if self._action_text is not None:
            context = replace(context, turns=[replace(each, reply=self._action_text(each)) for each in context.turns])
        for said in conversation(context, self._card):
            prompt += self._segments(said)
        prompt.append(self._text(self._chat.opening))
        return prompt if self._changed is None else list(self._changed.shorten(prompt))

    def history(self, context: Context) -> list[Segment]:
        """What the prompt after this one begins with: all before its newest screenshot, but for feedback to come.

        Where older screenshots are shortened, the last of them depends on the newest one and is left out, too.
        """
        prompt = self.build(context)
        images = [index for index, segment in enumerate(prompt) if isinstance(segment, ImageSegment)]
        return prompt[: images[-1 if self._changed is None else -2 :][0] - 1]

    def _segments(self, said: Message) -> list[Segment]:
        if isinstance(said.content, Screenshot):
            picture = ImageSegment.of(said.content, self._spec)
            return [self._text(PICTURE_BEFORE), picture, self._text(PICTURE_AFTER)]
        if said.role == "assistant":
            reply = self._reply(said.turn, said.content)
            return [self._text(ChatFormat.opening), reply, self._text(END)]
        return [self._text(message("user", said.content))]

    def _text(self, text: str) -> TextSegment:
        if text not in self._texts:
            self._texts[text] = TextSegment(tuple(self._encode(text)))
        return self._texts[text]

    def _reply(self, turn: int, reply: str) -> TextSegment:
        text, tokens = self._replies.get(turn, (None, None))
        return tokens if tokens is not None and text == reply else self._text(reply)
