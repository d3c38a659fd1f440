"""What a prompt looks like as text."""

from dataclasses import replace
from typing import Any

from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.checkpoints.model_card import ModelCard
from saccade.agent.context import PromptBuilder
from saccade.agent.decoding.layout import ImageSegment, Segment, TextSegment
from saccade.agent.policy import Context, Turn
from saccade.agent.prompts.chatml import ChatFormat

CARD = ModelCard(dialect="uitars-1.0", max_images=2)


def builder(checkpoint: Checkpoint, chat: ChatFormat = ChatFormat(), **changes: Any) -> PromptBuilder:
    def encode(text: str) -> list[int]:
        return checkpoint.tokenizer.encode(text, add_special_tokens=False)

    card = CARD.model_copy(update=changes)
    return PromptBuilder(encode, "Do: {}".format, card, chat, checkpoint.image_spec)


def written(checkpoint: Checkpoint, prompt: list[Segment]) -> str:
    parts = [
        f"[{segment.screenshot.digest[:4]}]"
        if isinstance(segment, ImageSegment)
        else checkpoint.tokenizer.decode(segment.ids)
        for segment in prompt
    ]
    return "".join(parts)


def test_a_prompt_word_by_word(checkpoint: Checkpoint, shoot: Any) -> None:
    shots = [shoot(number) for number in range(3)]
    marks = [f"[{shot.digest[:4]}]" for shot in shots]
    turns = [Turn(shots[0], "Action: wait()"), Turn(shots[1], "Eh?", "Write an action.")]
    context = Context("buy", shots[2], turns)
    chat = ChatFormat("<|im_start|>system\nBe good.<|im_end|>\n", "<|im_start|>assistant\n<think>")
    assert written(checkpoint, builder(checkpoint, chat, max_images=3).build(context)) == (
        "<|im_start|>system\nBe good.<|im_end|>\n<|im_start|>user\nDo: buy<|im_end|>\n"
        f"<|im_start|>user\n<|vision_start|>{marks[0]}<|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\nAction: wait()<|im_end|>\n"
        f"<|im_start|>user\n<|vision_start|>{marks[1]}<|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\nEh?<|im_end|>\n<|im_start|>user\nWrite an action.<|im_end|>\n"
        f"<|im_start|>user\n<|vision_start|>{marks[2]}<|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\n<think>"
    )


def test_a_dropped_image_takes_its_message_and_leaves_the_reply(checkpoint: Checkpoint, shoot: Any) -> None:
    shots = [shoot(number) for number in range(3)]
    turns = [Turn(shots[0], "one"), Turn(shots[1], "two")]
    context = Context("buy", shots[2], turns)
    assert written(checkpoint, builder(checkpoint).build(context)) == (
        "<|im_start|>user\nDo: buy<|im_end|>\n<|im_start|>assistant\none<|im_end|>\n"
        "<|im_start|>assistant\ntwo<|im_end|>\n"
        f"<|im_start|>user\n<|vision_start|>[{shots[2].digest[:4]}]<|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_remembered_reply_keeps_its_tokens(checkpoint: Checkpoint, shoot: Any) -> None:
    prompts = builder(checkpoint)
    context = Context("buy", shoot(0), [Turn(shoot(0), "\ufffd")])
    prompts.remember(0, "\ufffd", [200, 201])
    assert TextSegment((200, 201)) in prompts.build(context)
    other = replace(context, turns=[Turn(shoot(0), "plain")])
    assert TextSegment(tuple(checkpoint.tokenizer.encode("plain"))) in prompts.build(other)


def test_replies_that_read_alike_keep_their_own_tokens(checkpoint: Checkpoint, shoot: Any) -> None:
    prompts = builder(checkpoint)
    turns = [Turn(shoot(0), "\ufffd"), Turn(shoot(0), "\ufffd")]
    prompts.remember(0, "\ufffd", [200])
    prompts.remember(1, "\ufffd", [201])
    prompt = prompts.build(Context("buy", shoot(0), turns))
    assert prompt.index(TextSegment((200,))) < prompt.index(TextSegment((201,)))


def test_a_card_can_ask_for_the_newest_replies_only(checkpoint: Checkpoint, shoot: Any) -> None:
    shots = [shoot(number) for number in range(4)]
    turns = [Turn(shot, reply) for shot, reply in zip(shots, ("one", "two", "three"), strict=False)]
    context = Context("buy", shots[3], turns)
    assert written(checkpoint, builder(checkpoint, max_images=1, max_replies=2).build(context)) == (
        "<|im_start|>user\nDo: buy<|im_end|>\n<|im_start|>assistant\ntwo<|im_end|>\n"
        "<|im_start|>assistant\nthree<|im_end|>\n"
        f"<|im_start|>user\n<|vision_start|>[{shots[3].digest[:4]}]<|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\n"
    )
