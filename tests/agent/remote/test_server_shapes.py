"""Answers in the shapes in which servers write them, and refusals of requests that are too long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from made_endpoint import Endpoint as Server
from made_endpoint import pictures, scripted, serving
from saccade.actions.dialects import Call, dialect_names, get_dialect
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Finished, Type
from saccade.agent.policy import Context, Turn, UnreadableReply
from saccade.agent.remote.completion import read_completion
from saccade.agent.remote.endpoint import Endpoint
from saccade.agent.remote.failures import EndpointFailure, refusal
from saccade.agent.remote.policy import RemotePolicy
from saccade.perception.observation import Screenshot

DONE = "Thought: done\nAction: finished(content='ok')"
CALL = {"name": "computer_use", "arguments": json.dumps({"action": "type", "text": "Bücher"})}
SHOT = Screenshot(np.zeros((1000, 1000, 3), dtype=np.uint8))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(scripted([DONE] * 40)) as running:
        yield running


def policy(server: Server, dialect: str = "uitars-1.0", **options: Any) -> RemotePolicy:
    return RemotePolicy(Endpoint(server.address, wait=lambda seconds: None), dialect, **options)


def completion(finish: str = "stop", **message: Any) -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", **message}, "finish_reason": finish}]})


def stream(*deltas: dict[str, Any], end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in deltas) + end


def said(server: Server, answer: str, dialect: str = "uitars-1.0") -> tuple[str, tuple[Action, ...]]:
    server.bodies.append(answer)
    reply = policy(server, dialect).predict(Context("Save it", SHOT)).reply
    return reply.thought, reply.actions


OK = (Finished(answer="ok"),)
TYPED = (Type(text="Bücher"),)


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        (completion(content=None, reasoning_content=DONE, tool_calls=[]), ("done", OK)),
        (completion(content="", reasoning=DONE), ("done", OK)),
        (completion(content="\n", thinking=DONE), ("done", OK)),
        (completion(content=DONE, reasoning_content="It is closed."), ("It is closed.\ndone", OK)),
        (
            completion(content=DONE, reasoning="It </think> says\nAction: wait()"),
            ("It < /think> says\n> Action: wait()\ndone", OK),
        ),
        (
            completion(content=DONE, reasoning_details=[{"type": "reasoning.text", "text": "It is."}]),
            ("It is.\ndone", OK),
        ),
        (completion(content=f"<think>so</think>{DONE}", reasoning_content="so"), ("so\ndone", OK)),
        (completion(content=[{"type": "text", "text": DONE}]), ("done", OK)),
        (
            completion(content=["Thought: done\n", {"type": "output_text", "text": "Action: finished(content='ok')"}]),
            ("done", OK),
        ),
        (
            completion(
                content=[
                    {"type": "thinking", "thinking": [{"type": "text", "text": "so"}]},
                    {"type": "text", "text": DONE},
                ]
            ),
            ("so\ndone", OK),
        ),
        (
            stream(
                {"role": "assistant"}, {"content": "Thought: done\nAction: fin"}, {"content": "ished(content='ok')"}
            ),
            ("done", OK),
        ),
        (
            stream({"reasoning_content": "so "}, {"reasoning_content": "it is"}, {"content": DONE}),
            ("so it is\ndone", OK),
        ),
        (": keep-alive\n\nevent: message\n" + stream({"content": DONE}, end=""), ("done", OK)),
        ("\n\n" + stream({"content": DONE}).replace("\n", "\r\n"), ("done", OK)),
    ],
)
def test_thought_and_action_are_read_wherever_the_server_puts_them(
    server: Server, answer: str, meant: tuple[str, tuple[Action, ...]]
) -> None:
    assert said(server, answer) == meant


@pytest.mark.parametrize("dialect", ["qwen-vl-toolcall", "qwen3-vl-toolcall", "seed-toolcall"])
@pytest.mark.parametrize("parsed", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_the_server_took_out_is_read(server: Server, dialect: str, parsed: bool, streamed: bool) -> None:
    arguments: Any = {"action": "type", "text": "Bücher"} if "qwen" in dialect else {"content": "Bücher"}
    name = "computer_use" if "qwen" in dialect else "type"
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    if not parsed or streamed:
        call["function"] = {"name": name, "arguments": json.dumps(arguments)}
    if streamed:
        text = call["function"]["arguments"]  # type: ignore[index]
        pieces = [
            {"index": 0, "function": {"name": name, "arguments": text[:9]}},
            {"index": 0, "function": {"arguments": text[9:]}},
        ]
        answer = stream({"content": "I type."}, *({"tool_calls": [piece]} for piece in pieces))
    else:
        answer = completion("tool_calls", content="I type.", tool_calls=[call])
    assert said(server, answer, dialect) == ("I type.", TYPED)


@pytest.mark.parametrize("dialect", dialect_names())
def test_every_dialect_writes_a_call_so_that_it_reads_it(dialect: str) -> None:
    """Whatever the arguments are called in a dialect, the text is exact."""
    text = 'It\'s "he said"\n\\n ‘so’ {x: 1}'
    name, arguments = {
        "qwen": ("computer_use", {"action": "type", "text": text}),
        "openc": ("pyautogui.write", {"message": text}),
    }.get(dialect[:4] if dialect.startswith("qwen") else dialect[:5], ("type", {"content": text}))
    for given in (arguments, json.dumps(arguments)):
        call = Call(name, given if isinstance(given, dict) else {}, (given,))
        written = get_dialect(dialect).write_calls([call, call])
        assert get_dialect(dialect).parse(written, SHOT.size, SHOT.size).actions == (Type(text=text), Type(text=text))


def test_a_call_in_another_vocabulary_s_shape_is_read_in_a_text_dialect(server: Server) -> None:
    call = {"function": {"name": "computer_use", "arguments": '{"action": "click", "coordinate": [100, 200]}'}}
    assert said(server, completion(content=None, tool_calls=[call]), "uitars-1.0")[1] == (Click(point=Point(100, 200)),)


def test_a_call_that_is_in_the_reply_too_counts_once(server: Server) -> None:
    arguments = json.loads(CALL["arguments"])
    text = f"<tool_call>\n{json.dumps(CALL | {'arguments': arguments})}\n</tool_call>"
    assert said(server, completion(content=text, tool_calls=[{"function": CALL}]), "qwen-vl-toolcall") == ("", TYPED)


def test_a_reply_that_was_cut_off_is_told_so(server: Server) -> None:
    server.bodies.append(
        completion("length", content="Thought: scroll\nAction: scroll(direction='down', start_box='[2,3,4")
    )
    with pytest.raises(UnreadableReply, match="it was cut off at its maximum length"):
        policy(server).predict(Context("Save it", SHOT))


@pytest.mark.parametrize(
    ("answer", "reason", "tries"),
    [
        ('{"choices": [], "usage": {}}', "choices: there are none", 4),
        ('{"error": {"message": "boom", "code": 503}}', "answered 503: boom", 4),
        ('{"error": {"message": "boom", "code": 400}}', "answered 400: boom", 1),
        ('{"error": "overloaded"}', "answered an error: overloaded", 4),
        ('{"object": "error", "message": "no", "code": 404}', "answered 404: no", 1),
        ('{"choices": [{"error": {"code": 502, "message": "Provider returned error"}}]}', "Provider returned error", 4),
        (stream({"content": "a"}) + 'data: {"error": {"message": "died"}}\n\n', "answered an error: died", 4),
        ("data: [DONE]\n\n", "choices: there are none", 4),
        ("data: {\n\n", "answered no JSON", 4),
        ("[" * 100_000, "answered no JSON", 4),
        ('{"choices": [null]}', "choices.0.message", 4),
        ('{"choices": 7}', "choices: there are none", 4),
    ],
)
def test_what_is_no_reply_is_a_failure_in_words(server: Server, answer: str, reason: str, tries: int) -> None:
    remote = policy(server)
    server.bodies.extend([answer] * 4)
    with pytest.raises(EndpointFailure, match=reason):
        remote.predict(Context("Save it", SHOT))
    assert len(server.requests) == tries


@pytest.mark.parametrize(
    "content",
    [1, {}, [], [None, 3, {"type": "image_url"}], {"text": {"text": {"text": {"text": {"text": "a"}}}}}, True],
)
def test_odd_contents_are_an_empty_reply(content: Any) -> None:
    assert (
        read_completion(completion(content=content, reasoning=[[[[["x"]]]]], tool_calls=[1, {"function": 2}])).text
        == ""
    )


def test_an_endless_stream_of_pieces_is_read_in_proportion_to_it() -> None:
    assert read_completion(stream(*([{"content": "ab"}] * 20_000))).text == "ab" * 20_000


# ---------------------------------------------------------------- requests that are too long

IMAGES = {
    "At most 1 image(s) may be provided in one request.": 1,
    "At most 2 image(s) may be provided in one prompt. Set `--limit-mm-per-prompt` to increase this limit.": 2,
    "You set image=2 (or defaulted to 1) in `--limit-mm-per-prompt`, but passed 3 image items in a prompt.": None,
    "Image count 6 exceeds limit 3 per request.": 3,
    "Too many images in request. Max is 10.": 10,
    "Too many images provided. This model supports up to 5 images": 5,
    "Invalid 'messages': too many images. Maximum number of images is 8, got 9": 8,
    "litellm.BadRequestError: OpenAIException - Only one image is supported": 1,
    "This model does not support multiple images": None,
    "the request has more than the allowed number of image_url parts, the limit is 4": 4,
}
CONTEXTS = [
    "This model's maximum context length is 32768 tokens. However, you requested 33819 tokens (32795 in the messages,"
    " 1024 in the completion). Please reduce the length of the messages or completion.",
    "The decoder prompt (length 33819) is longer than the maximum model length of 32768. Make sure that `max_model_len`"
    " is no smaller than the number of text tokens plus multimodal tokens. For image inputs, the number of image tokens"
    " depends on the number of images and their aspect ratios as well.",
    "The input (33819 tokens) is longer than the model's context length (32768 tokens).",
    "Requested token count exceeds the model's maximum context length of 32768 tokens.",
    "the request exceeds the available context size (8192 tokens), try increasing it",
    "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 1024 `max_new_tokens`",
    "prompt is too long: 208310 tokens > 200000 maximum",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError",
    "Range of input length should be [1, 30720]",
    "Total tokens of image and text exceed max message tokens. Request id: 1",
    "This endpoint's maximum context length is 128000 tokens. However, you requested about 150000 tokens",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "Input is too long for requested model.",
    "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
    "input length exceeds maximum context length",
    "request body too large",
]


@pytest.mark.parametrize(("message", "limit"), IMAGES.items())
def test_a_limit_of_images_is_recognized_by_its_message(message: str, limit: int | None) -> None:
    for status, body in (
        (400, {"object": "error", "message": message}),
        (422, {"detail": message}),
        (200, {"error": {"message": message}}),
    ):
        failure = refusal(status, body, json.dumps(body))
        assert (failure.excess, failure.limit, failure.passing) == ("images", limit, False)


@pytest.mark.parametrize("message", CONTEXTS)
def test_a_limit_of_length_is_recognized_by_its_message(message: str) -> None:
    for status, body in ((400, {"error": {"message": message}}), (422, {"detail": message}), (500, {"error": message})):
        failure = refusal(status, body, json.dumps(body))
        assert (failure.excess, failure.passing) == ("context", False)


def test_other_refusals_are_no_limits() -> None:
    for message in (
        "out of order",
        "invalid image format",
        "Unsupported image type",
        "max_tokens must be positive",
        "",
    ):
        assert refusal(400, {"error": {"message": message}}, message).excess is None
    limited = refusal(
        429, {"error": {"message": "Rate limit reached: limit 30000 tokens per min exceeded, try again in 2 s"}}, ""
    )
    assert (limited.excess, limited.passing) == (None, True)
    title = "413 Request Entity Too Large"
    large = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    failure = refusal(413, None, large)
    assert failure.excess == "context"
    assert "<" not in str(failure)


def refusing(server: Server, images: int | None = None, messages: int | None = None, message: str = "") -> None:
    """Let the server refuse what is longer, as a scripted answer of it."""

    def answer(asked: list[dict[str, Any]]) -> str | int:
        many = images is not None and len(pictures(asked)) > images
        if many or (messages is not None and len(asked) > messages):
            server.bodies.append((400, json.dumps({"error": {"message": message}})))
            return 400
        return DONE

    server.answer = answer


def episode(remote: RemotePolicy, steps: int, turns: list[Turn] | None = None) -> list[tuple[str, ...]]:
    turns, notes = turns if turns is not None else [], []
    for _ in range(steps):
        notes.append(remote.predict(Context("Save it", SHOT, tuple(turns))).notes)
        turns.append(Turn(SHOT, DONE))
    return notes


def test_older_screenshots_go_where_the_server_allows_fewer(server: Server) -> None:
    refusing(server, images=2, message="At most 2 image(s) may be provided in one request.")
    remote = policy(server)
    notes = episode(remote, 8)
    assert [len(note) for note in notes] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert notes[2] == ("the server allows fewer screenshots: from now on it gets at most 2 screenshots",)
    assert len(server.requests) == 9, "refused once"
    remote.start()
    assert not any(episode(remote, 4))
    assert len(server.requests) == 13, "and known in the next episode"


def test_replies_go_where_the_server_allows_a_shorter_context(server: Server) -> None:
    refusing(server, messages=6, message=CONTEXTS[0])
    notes = episode(policy(server), 30)
    told = [note for each in notes for note in each]
    assert 1 <= len(told) <= 4
    assert "at most 1 screenshot and" in told[-1]
    assert len(server.requests) <= 36
    last = server.requests[-1]["messages"]
    assert len(pictures(last)) == 1
    assert last[0]["content"].endswith("Save it")


@pytest.mark.parametrize(
    ("images", "message", "reason"),
    [
        (0, "At most 0 image(s) may be provided", "takes no screenshots"),
        (0, "request too large", "one screenshot is too much"),
    ],
)
def test_a_server_that_takes_not_one_screenshot_is_told(server: Server, images: int, message: str, reason: str) -> None:
    refusing(server, images=images, message=message)
    with pytest.raises(EndpointFailure, match=f"{reason}: .*use a smaller screen|{reason}.*smaller screen"):
        episode(policy(server), 1)


def test_the_number_of_screenshots_is_set_beforehand_and_stated(server: Server) -> None:
    remote = policy(server, max_images=2)
    episode(remote, 6)
    assert max(len(pictures(request["messages"])) for request in server.requests) == 2
    assert remote.settings.max_images == 2
    assert "max_images" not in policy(server).settings.model_dump()
    with pytest.raises(UsageError, match="--max-images"):
        policy(server, max_images=0)
