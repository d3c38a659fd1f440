"""The policy that asks a server, against a real one on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from made_endpoint import Endpoint as Server
from made_endpoint import embedded, pictures, scripted, serving
from saccade.actions.dialects import Reply, dialect_names, get_dialect, resize_limits
from saccade.actions.errors import MissingPartError, PolicyFailure, UnknownDialectError, UsageError
from saccade.actions.geometry import Point, ResizeLimits, Size, smart_resize
from saccade.actions.schema import Click, Finished, Type
from saccade.agent import embedded as embedded_package
from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.decoding.layout import ImageSegment
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Turn, UnreadableReply
from saccade.agent.remote.endpoint import Endpoint, EndpointFailure
from saccade.agent.remote.policy import RemotePolicy
from saccade.agent.replay.expected import ExpectedReply
from saccade.perception.observation import Screenshot

CLICK = "Thought: there\nAction: click(start_box='(100,50)')"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(scripted([CLICK] * 20)) as running:
        yield running


def noise(number: int, size: Size = Size(640, 480)) -> Screenshot:
    """Coloured squares, which are small as PNG."""
    squares = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    pixels = squares.repeat(-(-size.height // 40), axis=0).repeat(-(-size.width // 40), axis=1)
    return Screenshot(np.ascontiguousarray(pixels[: size.height, : size.width]))


def asked(*turns: Turn, shot: Screenshot | None = None) -> Context:
    return Context("Save it", shot or noise(99), turns)


def patient(server: Server, waits: list[float] | None = None, **options: Any) -> Endpoint:
    """An endpoint that counts its pauses instead of making them."""
    return Endpoint(server.address, wait=(waits if waits is not None else []).append, **options)


def policy(server: Server, dialect: str = "uitars-1.5", **options: Any) -> RemotePolicy:
    return RemotePolicy(patient(server), dialect, **options)


# ---------------------------------------------------------------- what is sent, and what comes back


def test_a_reply_is_read_in_the_frame_of_the_picture_that_was_sent(server: Server) -> None:
    prediction = policy(server).predict(asked(shot=noise(1, Size(160, 210))))
    (sent,) = pictures(server.requests[0]["messages"])
    limits = resize_limits("uitars-1.5")
    assert limits is not None
    assert sent.size == smart_resize(Size(160, 210), limits) != Size(160, 210)
    (action,) = prediction.reply.actions
    assert isinstance(action, Click)
    assert action.point == pytest.approx((100 * 160 / sent.size.width, 50 * 210 / sent.size.height))
    assert (prediction.raw, prediction.reply.thought) == (CLICK, "there")


def test_a_relative_dialect_gets_the_picture_as_it_is(server: Server) -> None:
    prediction = policy(server, "uitars-1.0").predict(asked(shot=noise(1)))
    (sent,) = pictures(server.requests[0]["messages"])
    assert sent.digest == noise(1).digest
    assert prediction.reply.actions == (Click(point=Point(64.0, 24.0)),)


def test_a_request_says_what_is_asked_for(server: Server) -> None:
    policy(server).predict(asked())
    policy(server, temperature=0.5, top_p=0.9, seed=7).predict(asked(Turn(noise(0), CLICK)))
    greedy, drawn = server.requests
    assert {"model": "ui-tars", "temperature": 0.0, "max_tokens": 1024}.items() <= greedy.items()
    assert "<|im_end|>" in greedy["stop"]
    assert not {"seed", "top_p", "stream", "skip_special_tokens"} & set(greedy)
    assert (drawn["temperature"], drawn["top_p"], drawn["seed"]) == (0.5, 0.9, 8)
    first = greedy["messages"][0]
    assert first == {"role": "user", "content": get_dialect("uitars-1.5").prompt("Save it")}


def test_what_it_cost_is_told(server: Server) -> None:
    usage = policy(server).predict(asked()).usage
    assert usage.prompt_tokens > 644 * 476 // 784
    assert (usage.reply_tokens, usage.forwards) == (len(CLICK) // 4, 0)
    assert usage.timings["request"] > 0


def test_each_request_begins_like_the_last_until_screenshots_go(server: Server) -> None:
    """What a server has computed is found by the beginning of a request, letter by letter."""
    remote, turns = policy(server), list[Turn]()
    for step in range(8):
        remote.predict(asked(*turns, shot=noise(step)))
        turns.append(Turn(noise(step), CLICK, "it is refused" if step == 1 else None))
    sent = [request["messages"] for request in server.requests]
    kept = [json.dumps(after).startswith(json.dumps(before)[:-1]) for before, after in pairwise(sent)]
    assert kept == [True, True, True, True, False, True, True]
    assert [len(pictures(messages)) for messages in sent] == [1, 2, 3, 4, 5, 2, 3, 4]
    assert {"role": "user", "content": "it is refused"} in sent[-1]
    assert sum(said["role"] == "assistant" for said in sent[-1]) == 7, "replies stay"


def test_special_tokens_are_kept_by_servers_that_can() -> None:
    with serving(scripted([CLICK]), owned_by="vllm") as server:
        policy(server).predict(asked())
        assert server.requests[0]["skip_special_tokens"] is False


def test_a_server_that_shrinks_the_screenshots_is_noticed() -> None:
    with serving(scripted([CLICK]), owned_by="vllm") as server:
        policy(server).predict(asked(shot=noise(0, Size(1280, 800))))
        server.limits = ResizeLimits(28, 3136, 300 * 28 * 28)
        with pytest.raises(PolicyFailure, match=r"the screenshots alone are 1334: it shrinks.*max_pixels"):
            policy(server).predict(asked(shot=noise(0, Size(1280, 800))))
        policy(server, "uitars-1.0").predict(asked(shot=noise(0, Size(1280, 800))))


def test_a_served_model_answers_as_it_does_here() -> None:
    """The embedded policy behind the server gets the conversation that it gets without one."""
    checkpoint = load_checkpoint("embedded")
    here, replies = LocalPolicy(checkpoint, decoding="plain"), []
    with serving(embedded(checkpoint), "saccade-embedded") as server:
        remote = RemotePolicy(patient(server), card=checkpoint.card)
        assert (remote.dialect, remote.viewport, remote.tolerance) == ("uitars-1.0", (160, 210), 0.05)
        turns: list[Turn] = []
        for step in range(3):
            context = asked(*turns, shot=noise(step, Size(160, 210)))
            try:
                replies.append((remote.predict(context).raw, here.predict(context).raw))
            except UnreadableReply as error:
                replies.append((error.raw, error.raw))
            turns.append(Turn(noise(step, Size(160, 210)), replies[-1][0]))
    assert all(there == local for there, local in replies)
    assert all("Action:" in there for there, _ in replies)


def test_a_server_renders_the_very_prompt_that_is_read_here(server: Server) -> None:
    """By the checkpoint's chat template, as servers do, from the request as it came over the wire."""
    checkpoint = load_checkpoint("embedded")
    here = LocalPolicy(checkpoint, decoding="plain")
    remote = RemotePolicy(patient(server), card=checkpoint.card)
    shots = [noise(step, Size(160, 210)) for step in range(6)]
    turns = [Turn(shot, f"Action: wait() {step}", "no" if step == 3 else None) for step, shot in enumerate(shots)]
    for count in (0, 1, 5):
        context = asked(*turns[:count], shot=shots[count])
        remote.predict(context)
        template = (Path(embedded_package.__path__[0]) / "weights" / "chat_template.jinja").read_text()
        messages = server.requests[-1]["messages"]
        (rendered,), _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=True)
        read = "".join(
            "<|image_pad|>" if isinstance(part, ImageSegment) else checkpoint.tokenizer.decode(part.ids)
            for part in here.prompt(context)
        )
        assert rendered == read


# ---------------------------------------------------------------- which model, in which language


@pytest.mark.parametrize(
    ("model", "root", "dialect"),
    [
        ("agent", "ByteDance-Seed/UI-TARS-1.5-7B", "uitars-1.5"),
        ("ui-tars", "/models/UI-TARS-72B-DPO", "uitars-1.0"),
        ("UI-TARS-1.5-7B", None, "uitars-1.5"),
        ("Qwen/Qwen3-VL-8B-Instruct", None, "qwen3-vl-toolcall"),
        ("Qwen2.5-VL-7B-Instruct", "/models/x", "qwen2.5-vl-toolcall"),
        ("doubao-1-5-ui-tars-250428", None, "doubao-1.5"),
        ("OpenCUA-7B", None, "opencua"),
    ],
)
def test_the_dialect_is_known_by_name(model: str, root: str | None, dialect: str) -> None:
    with serving(scripted([]), model, root=root) as server:
        remote = RemotePolicy(server.address)
        assert (remote.dialect, remote.settings.served, remote.name) == (dialect, root, server.address)
        assert remote.fingerprint is None


def test_an_unknown_language_is_asked_for(server: Server) -> None:
    with pytest.raises(UsageError, match="--dialect"):
        RemotePolicy(server.address)
    with pytest.raises(UnknownDialectError):
        RemotePolicy(server.address, "uitars-1.55")
    assert server.asked == ["/v1/models"], "a wrong dialect is noticed before the server is asked"


def test_the_only_model_need_not_be_named_and_a_wrong_one_is_refused(server: Server) -> None:
    assert RemotePolicy(f"openai:{server.url}", "uitars-1.5").name == server.address
    with pytest.raises(UsageError, match=r"no model 'other'; it serves ui-tars"):
        RemotePolicy(f"openai:{server.url}#other", "uitars-1.5")


def test_a_server_without_a_list_is_believed(server: Server) -> None:
    server.model = None
    policy(server).predict(asked())
    with pytest.raises(UsageError, match="answered 404"):
        RemotePolicy(f"openai:{server.url}", "uitars-1.5")


@pytest.mark.parametrize(
    "address", ["openai:", "openai:localhost:8000#x", "openai:ftp://a/v1", "openai:http://:80/v1#x", "http://a/v1#x"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"openai:http://host:8000/v1#NAME"):
        Endpoint(address)


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(UsageError, match="SACCADE_API_KEY") as caught:
        Endpoint("openai:http://me:geheim@host/v1#x")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("name", dialect_names())
def test_the_limits_of_a_dialect_are_those_it_counts_by(name: str) -> None:
    dialect, limits = get_dialect(name), resize_limits(name)
    for size in (Size(160, 210), Size(1920, 1080), Size(8000, 5000)):
        reply = Reply("", (Click(point=Point(size.width - 2.0, size.height - 2.0)),))
        sent = smart_resize(size, limits) if limits else Size(999, 777)
        assert dialect.render(reply, size) == dialect.render(reply, size, sent)


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("fault", [500, 503, 429, "html", "no choices", "a list", "no message", "cut"])
def test_a_fault_that_passes_is_waited_out(server: Server, fault: int | str) -> None:
    waits: list[float] = []
    remote = RemotePolicy(patient(server, waits), "uitars-1.5")
    server.faults.extend([fault] * 3)
    assert remote.predict(asked()).raw == CLICK
    assert len(server.requests) == 4
    if fault == 429:
        assert waits == [7.0] * 3, "as long as the server asks for"
    else:
        assert [round(pause / 2**number, 1) for number, pause in enumerate(waits)] == pytest.approx([0.5] * 3, abs=0.2)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (500, r"answered 500: out of order \(4 tries\)"),
        ("html", "answered no JSON: <html>.*502 Bad Gateway"),
        ("no choices", r"answered something else: choices: .*\{\"choices\": \[\]\}"),
        ("a list", r"answered something else: its answer: .*\[1\]"),
        ("no message", r"choices.0.message: Field required"),
        ("cut", "does not answer .*complete message"),
    ],
)
def test_a_fault_that_stays_is_told(server: Server, fault: int | str, said: str) -> None:
    remote = policy(server)
    server.endless = fault
    with pytest.raises(EndpointFailure, match=said) as caught:
        remote.predict(asked())
    assert str(caught.value).startswith(server.url)
    assert len(server.requests) == 4


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_a_server_that_never_ends_its_answer_is_left_behind(server: Server, fault: str) -> None:
    remote = RemotePolicy(patient(server, timeout=1.0, tries=2), "uitars-1.5")
    server.faults.append(fault)
    assert remote.predict(asked()).raw == CLICK, "a second try is on a connection of its own"
    server.endless = fault
    with pytest.raises(EndpointFailure, match=r"gave no answer in 1 s \(2 tries\)"):
        remote.predict(asked())
    assert len(server.requests) == 4
    server.released.set()
    for thread in threading.enumerate():
        if thread.name == "asking a server":
            thread.join(60)
            assert not thread.is_alive()


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refusal_is_final(server: Server, status: int) -> None:
    remote = policy(server)
    server.endless = status
    with pytest.raises(EndpointFailure, match=f"answered {status}: out of order"):
        remote.predict(asked())
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_an_empty_reply_is_one_that_cannot_be_read(server: Server, text: str | None) -> None:
    server.answer = lambda messages: text
    with pytest.raises(UnreadableReply, match="it is empty") as caught:
        policy(server).predict(asked())
    assert caught.value.usage.prompt_tokens > 0
    assert len(server.requests) == 1


def test_nonsense_is_a_reply_that_cannot_be_read(server: Server) -> None:
    server.answer = lambda messages: "I would rather not."
    with pytest.raises(UnreadableReply) as caught:
        policy(server).predict(asked())
    assert caught.value.raw == "I would rather not."


def test_a_server_that_is_not_there_is_said_at_the_start() -> None:
    with serving(scripted([])) as server:
        address = server.address
    with pytest.raises(UsageError, match=r"does not answer \(.*refused\); is the server running there\?") as caught:
        RemotePolicy(Endpoint(address, tries=2, wait=lambda seconds: None), "uitars-1.5")
    assert "\n" not in str(caught.value)


def test_keys_are_sent_and_never_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.key = "sk-geheim"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-one")
    with pytest.raises(UsageError, match=r"refuses the key \(401\); put the right one in SACCADE_API_KEY") as caught:
        RemotePolicy(server.address, "uitars-1.5")
    assert "sk-wrong-one" not in str(caught.value)
    assert server.asked == ["/v1/models"], "a refused key is not tried again"
    monkeypatch.setenv("SACCADE_API_KEY", "sk-geheim")
    remote = policy(server)
    assert remote.predict(asked()).raw == CLICK
    server.endless = "telltale"
    with pytest.raises(EndpointFailure, match=r"answered 400: you sent Bearer \(the key\)"):
        remote.predict(asked())
    assert "geheim" not in caplog.text + remote.name


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(MissingPartError, match=r"pip install 'saccade\[remote\]'"):
        Endpoint("openai:http://127.0.0.1:9/v1#x")


# ---------------------------------------------------------------- verifying what was recorded


def test_recorded_replies_are_verified_by_what_it_would_do(server: Server) -> None:
    remote, context = policy(server, "uitars-1.0"), asked()
    near = "Thought: other words\nAction: click(start_box='(103,50)')"
    verdict = remote.verify(context, [ExpectedReply("no reply"), ExpectedReply(near)], tolerance=2.0)
    assert (verdict.index, verdict.prediction and verdict.prediction.raw) == (1, near)
    assert remote.verify(context, [ExpectedReply(near)], tolerance=1.0).index is None
    count = len(server.requests)
    own = remote.predict(context)
    assert (own.raw, own.usage.timings, len(server.requests)) == (CLICK, {}, count), "it was said already"
    remote.predict(context)
    assert len(server.requests) == count + 1
    expected = remote.expect(context, [Finished()])
    assert remote.verify(context, [expected]).index is None


def test_a_secret_is_not_asked_of_it(server: Server) -> None:
    server.answer = lambda messages: "Action: type(content='user: hunter2\\n')"
    recorded = ExpectedReply("Action: type(content='user: {{password}}\\n')")
    verdict = policy(server).verify(asked(), [recorded])
    assert verdict.prediction is not None
    assert verdict.prediction.reply.actions == (Type(text="user: {{password}}\n"),)
    assert (
        policy(server).verify(asked(), [ExpectedReply("Action: type(content='pass: {{password}}\\n')")]).index is None
    )


def test_an_unreadable_reply_agrees_with_nothing_and_is_paid_once(server: Server) -> None:
    server.answer = lambda messages: "?"
    remote, context = policy(server), asked()
    assert remote.verify(context, [ExpectedReply(CLICK)]).index is None
    with pytest.raises(UnreadableReply):
        remote.predict(context)
    assert len(server.requests) == 1
