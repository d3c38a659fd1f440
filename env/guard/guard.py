"""The one place that every act goes through: nothing reaches a mouse, keyboard, page or program without its permit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import numpy as np

from ...actions import schema
from ...actions.errors import DeniedError, Stopped
from ...actions.geometry import Point
from ...actions.schema import Action, points
from ...perception.observation import Region, Screenshot
from ...perception.settle import same_but_caret
from ..browser.addresses import complete_address
from ..secrets import Secrets, marker
from .asking import Answer, Asker, Question, unattended
from .grants import Grants
from .intent import UNKNOWN, Act, ActionIntent, Ruling
from .policy import GuardPolicy, read_guard_policy
from .sites import site_of

Log = Callable[[str, Mapping[str, Any]], None]
"""Takes what the guard did: its kind, and what is known of it."""
_SEAL: Final = object()
_QUESTIONS: Final = 3
"""How often one action is asked about whose target keeps changing."""
_PATCH: Final = 32
"""Pixels on each side of a point that must look as they did when it was asked about."""


class Scene(Protocol):
    """What the guard can find out just before an act; an environment is one."""

    def intent(self, action: Action) -> ActionIntent:
        """What an action is about to hit, as it is now."""

    def picture(self, *, fresh: bool = True) -> Screenshot:
        """The screen as it is now, or as it was seen last, in the frame of the action's points."""


class UnknownScene:
    """A screen of which nothing but its newest picture is known, such as that of another harness."""

    def __init__(self, screenshot: Screenshot) -> None:
        self._screenshot = screenshot

    def intent(self, action: Action) -> ActionIntent:
        """See ``Scene``."""
        text = action.text if isinstance(action, schema.Type) else ""
        return ActionIntent(kind=action.kind, action=action, text=text, targets=(UNKNOWN,))

    def picture(self, *, fresh: bool = True) -> Screenshot:
        """See ``Scene``."""
        return self._screenshot


class Permit:
    """Leave to do one action once; only a ``Guard`` gives it.

    Attributes:
        action: what may be done, with the texts of secrets in place of their markers.
    """

    __slots__ = ("_spent", "action")

    def __init__(self, action: Action, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only a guard gives permits")
        self.action = action
        self._spent = False

    def spend(self) -> Action:
        """The action, which is done now; raises ``DeniedError`` where it was done before."""
        if self._spent:
            raise DeniedError("a permit is for one action, and this one was done")
        self._spent = True
        return self.action

    def parts(self) -> tuple[Permit, ...]:
        """One permit for each part: text that is typed at a point is a click, then the text."""
        action = self.spend()
        if isinstance(action, schema.Type) and action.point is not None:
            parts: tuple[Action, ...] = (schema.Click(point=action.point), schema.Type(text=action.text))
        else:
            parts = (action,)
        return tuple(Permit(part, _SEAL) for part in parts)


class Guard:
    """Decides about each action by a policy, and asks where the policy says so.

    Args:
        policy: what is allowed, asked about and denied.
        ask: answers questions; by default nobody is there, and what is asked about is denied.
        grants: lasting answers; without any, an answer lasts for the run at most.
        clock: the time of day.

    Attributes:
        secrets: the texts that a permit has in place of markers.
        log: is told of every intent before it is done, and of every question, answer and denial.
    """

    def __init__(
        self,
        policy: GuardPolicy,
        *,
        ask: Asker | None = None,
        grants: Grants | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.policy = policy
        self.ask = ask or unattended("deny")
        self._grants = grants
        self._clock = clock
        self._home: tuple[str, ...] = ()
        self._granted: set[tuple[str, str]] = set()
        self.secrets = Secrets()
        self.log: Log | None = None

    @classmethod
    def of(cls, name: str) -> Guard:
        """A guard with a profile, which asks nobody: ``open`` allows everything."""
        return cls(read_guard_policy(name))

    def begin(self, address: str = "") -> Permit:
        """Begin an episode on a page that the user named, which is opened with the permit; its site is the task's."""
        self._home = ()
        self.landed(complete_address(address))
        self._granted.clear()
        return Permit(schema.Navigate(url=address), _SEAL)

    def landed(self, address: str) -> None:
        """Note where the page that the user named led to: that site is the task's, too."""
        site = site_of(address)
        self._home = tuple(dict.fromkeys((*self._home, *((site,) if site else ()))))

    def admit(self, action: Action, scene: Scene) -> Permit:
        """Let an action be done.

        Raises:
            DeniedError: it may not be done; the message is for the policy.
            Stopped: the person who was asked ended the run.
        """
        self._refuse_misplaced(action, scene)
        if self.policy.permits_all:
            self.record("intent", {"action": action.model_dump(mode="json"), "decision": "allow"})
            return self._permit(action)
        for asked in range(_QUESTIONS):
            intent = scene.intent(action)
            ruling = self._ruling(intent)
            self.record("intent", _said(intent, ruling))
            if ruling.decision == "allow":
                return self._permit(action)
            if ruling.decision == "deny":
                raise self._denied(ruling, "the guard denies it")
            picture = scene.picture()
            self._ask(Question(intent, ruling, place_of(intent), picture, again=asked > 0))
            if scene.intent(action) == intent and _looks_same(picture, scene.picture(), intent):
                return self._permit(action)
        raise self._denied(ruling, "its target kept changing while the user was asked")

    def _refuse_misplaced(self, action: Action, scene: Scene) -> None:
        """Refuse to type a secret elsewhere than where it belongs, whatever the profile and a person say."""
        if not isinstance(action, schema.Type) or not (named := self.secrets.named_in(action.text)):
            return
        intent = scene.intent(action)
        if misplaced := self.policy.misplaced(intent, named, self._home):
            what = ", ".join(map(marker, misplaced))
            reason = f"would type the secret {what} where it does not belong"
            ruling = Ruling(decision="deny", consequences=("credential",), reason=reason)
            self.record("intent", _said(intent, ruling))
            raise self._denied(ruling, f"it belongs to {', '.join(self._home) or 'other places'}")

    def allows(self, act: Act, text: str, scene: Scene) -> bool:
        """Whether an act that is no action of a policy may be done: a dialog is accepted, a file saved or uploaded."""
        if self.policy.permits_all:
            self.record("intent", {"kind": act, "text": text, "decision": "allow"})
            return True
        intent = scene.intent(schema.Wait(seconds=0)).model_copy(update={"kind": act, "action": None, "text": text})
        ruling = self._ruling(intent)
        self.record("intent", _said(intent, ruling))
        if ruling.decision == "ask":
            try:
                self._ask(Question(intent, ruling, place_of(intent), scene.picture(fresh=False)))
            except DeniedError:
                return False
        return ruling.decision != "deny"

    def _ruling(self, intent: ActionIntent) -> Ruling:
        """The policy's ruling, with what the person has granted."""
        ruling = self.policy.rule(intent, self._home, self._clock())
        if ruling.decision != "ask" or not self._is_granted(ruling, place_of(intent)):
            return ruling
        return ruling.model_copy(update={"decision": "allow", "reason": f"{ruling.reason}, which was granted"})

    def _is_granted(self, ruling: Ruling, place: str) -> bool:
        asked = {(each, place) for each in _subjects(ruling)}
        left = asked - self._granted
        lasting = self._grants
        return bool(asked) and (not left or (lasting is not None and all(lasting.has(*each) for each in left)))

    def _ask(self, question: Question) -> None:
        """Ask; raises ``DeniedError`` for a no."""
        self.record("question", {"question": str(question), "place": question.place})
        answer = self.ask(question)
        self.record("answer", {"answer": answer})
        if answer == "stop":
            raise Stopped(f"the guard would have asked: {question}")
        if answer == "no":
            raise self._denied(question.ruling, "the user was not there to allow it, or said no")
        self._keep(answer, question)

    def _keep(self, answer: Answer, question: Question) -> None:
        subjects = _subjects(question.ruling)
        if answer in ("run", "always"):
            self._granted |= {(each, question.place) for each in subjects}
        if answer == "always" and self._grants is not None and question.place:
            for each in subjects:
                self.record("grant", {"what": each, "place": question.place})
                self._grants.add(each, question.place)

    def _denied(self, ruling: Ruling, why: str) -> DeniedError:
        self.record("denied", {"consequences": list(ruling.consequences), "reason": ruling.reason, "why": why})
        return DeniedError(f"not done: it {ruling.reason}, and {why}; do something else, or hand over to the user")

    def _permit(self, action: Action) -> Permit:
        if isinstance(action, schema.Type) and self.secrets:
            action = action.model_copy(update={"text": self.secrets.fill(action.text)})
        return Permit(action, _SEAL)

    def record(self, kind: str, known: Mapping[str, Any]) -> None:
        """Tell the log of something that was done, or kept back."""
        if self.log is not None:
            self.log(kind, known)


def guard_of(environment: object) -> Guard | None:
    """The guard that an environment acts through; None for one of others that has none."""
    guard = getattr(environment, "guard", None)
    return guard if isinstance(guard, Guard) else None


def place_of(intent: ActionIntent) -> str:
    """Where a lasting answer to a question about an intent holds."""
    return site_of(intent.address) or intent.program or intent.window


def _subjects(ruling: Ruling) -> tuple[str, ...]:
    return (*ruling.consequences, *(() if ruling.judged else ("unknown",)))


def _said(intent: ActionIntent, ruling: Ruling) -> dict[str, Any]:
    known = intent.model_dump(mode="json", exclude_defaults=True)
    return {**known, "decision": ruling.decision, **ruling.model_dump(mode="json", include={"consequences", "reason"})}


def _looks_same(before: Screenshot, after: Screenshot, intent: ActionIntent) -> bool:
    """Whether what is acted on looks as it did, but for a text cursor."""
    if before.size != after.size:
        return False
    return all(same_but_caret(_cut(before, each), _cut(after, each)) for each in _patches(before, intent))


def _patches(screenshot: Screenshot, intent: ActionIntent) -> list[Region]:
    """The parts of a screenshot, in its pixels, that show what is acted on; the whole of it where that is unknown."""
    spots = points(intent.action) if intent.action is not None else ()
    patches = [Region(round(x) - _PATCH, round(y) - _PATCH, 2 * _PATCH, 2 * _PATCH) for x, y in spots]
    frame = screenshot.screen_frame
    for box in (target.box for target in intent.targets if target.box is not None):
        left, top = frame.to_pixels(Point(box.left, box.top))
        right, bottom = frame.to_pixels(Point(box.right, box.bottom))
        patches.append(Region(round(left), round(top), round(right - left), round(bottom - top)))
    return patches or [Region(0, 0, *screenshot.size)]


def _cut(screenshot: Screenshot, part: Region) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return screenshot.pixels[max(0, part.top) : max(0, part.bottom), max(0, part.left) : max(0, part.right)]
