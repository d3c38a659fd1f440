"""From a labelled page to what one may ask of it, and the reply that solves it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from .rendering import DomElement, PageRecord
from .words import ASKING, FORWARD

ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th")
GENERIC = ("Do what the page asks.", "Do what the page asks.", "Follow the instruction on the page.")
ENDED = ("Click the button.", 'Click the button "Next".', 'Click the button "Continue".', "Click button OK.")
# What of a reply without a thought is not learned, so that the model goes on to begin with a thought.
UNTHOUGHT = "Thought: \nAction: "


@dataclass(frozen=True)
class TaughtReply:
    """What to answer on one picture. ``element`` is None for an action without a place."""

    thought: str
    action: str
    element: DomElement | None = None

    def text(self, width: int, height: int) -> str:
        """The reply in UI-TARS 1.0 syntax, with coordinates relative to the picture."""
        return f"Thought: {self.thought}\nAction: {self.action.format(point=self.place(width, height))}"

    def silent(self) -> TaughtReply:
        """The reply as an action alone, as a recording of a person has it."""
        return replace(self, thought="", action=self.action.replace("content='Done.'", ""))

    def place(self, width: int, height: int) -> str:
        """The point to click, 0-999 of each side."""
        if self.element is None:
            return ""
        x, y = self.element["point"]
        return f"({min(999, max(0, round(x / width * 1000)))},{min(999, max(0, round(y / height * 1000)))})"


FINISHED = TaughtReply("The page says that it is done.", "finished(content='Done.')")
BLANK = TaughtReply("The page is blank. Wait.", "wait()")
LOADING = TaughtReply("The page is loading. Wait.", "wait()")
STILL_BLANK = TaughtReply("The page stays blank. Ask the user.", "call_user()")


@dataclass(frozen=True)
class Question:
    """An instruction for one picture and its reply."""

    instruction: str
    reply: TaughtReply


def click(thought: str, element: DomElement) -> TaughtReply:
    """The reply that clicks an element."""
    return TaughtReply(thought, "click(start_box='{point}')", element)


def thought_of(element: DomElement, order: int = 0, count: int = 1) -> str:
    """A short thought that names the element."""
    role, text = element["role"], element["text"]
    if role == "close":
        return "Close the dialog."
    if role == "textbox":
        return "Click the textbox." if count == 1 else f"Click the {ORDINALS[order]} textbox."
    names = {"link": "link", "tab": "tab", "checkbox": "checkbox", "radio": "option"}
    return f"Click the {names.get(role, 'button')} {text}."


WORDINGS = {
    "close": ('Close the dialog box by clicking the "x".', "Close the dialog.", "Close the dialog box."),
    "link": ('Click on the link "{0}".', 'Click the link "{0}".'),
    "tab": ("Click on {0}.", 'Click the tab "{0}".'),
    "only textbox": ("Focus into the textbox.", "Click the text field.", "Click the textbox."),
    "textbox": ("Focus into the {0} input textbox.", "Click the {0} textbox."),
    "only": (*ASKING, *["Click the button."] * 3),
}


def wordings(element: DomElement, order: int, count: int) -> list[str]:
    """Ways to ask for an element; ``count`` is how many of its role the page shows."""
    role, text = element["role"], element["text"]
    if role == "textbox" and count > 1:
        return [wording.format(ORDINALS[order]) for wording in WORDINGS[role]] if order < len(ORDINALS) else []
    kind = "only textbox" if role == "textbox" else role
    return [wording.format(text) for wording in WORDINGS.get(kind, WORDINGS["only"] if count == 1 else ASKING)]


def legible(element: DomElement, record: PageRecord) -> bool:
    """Whether most of an element's text can be seen."""
    letters = len(element["text"].replace(" ", ""))
    left, top, right, bottom = element["box"]
    seen = sum(left <= x <= right and top <= y <= bottom for _, x, y in record["chars"])
    return letters > 0 and seen >= 0.7 * letters


def named(record: PageRecord, strict: bool = True) -> list[tuple[DomElement, int, int]]:
    """Each element that can be told apart, with its rank in its role and the role's count.

    Unless ``strict``, elements whose text is covered by others count too.
    """
    by_role: dict[str, list[DomElement]] = {}
    for element in sorted(record["elements"], key=lambda e: (round(e["box"][1] / 8), e["box"][0])):
        by_role.setdefault(element["role"], []).append(element)
    found: list[tuple[DomElement, int, int]] = []
    for role, elements in by_role.items():
        seen: set[str] = set()
        for order, element in enumerate(elements):
            readable = element["text"] not in seen and (not strict or legible(element, record))
            if role in ("textbox", "close") or readable:
                seen.add(element["text"])
                found.append((element, order, len(elements)))
    return found


def ask(record: PageRecord, rng: random.Random) -> list[Question]:
    """Every question about a page, each element asked for once, in random order."""
    if record["extra"].get("loading"):
        return [Question(rng.choice(GENERIC + ENDED), LOADING)]
    questions: list[Question] = []
    for element, order, count in uncovered(record):
        if texts := wordings(element, order, count):
            questions.append(Question(rng.choice(texts), click(thought_of(element, order, count), element)))
    bare, own = record["extra"].get("bare"), own_question(record)
    if (closing := closing_reply(record)) is not None:
        below = rng.choice([text for text in FORWARD if text not in record["extra"]["over"]])
        questions.append(Question(rng.choice(ASKING).format(below), closing))
    if record["extra"].get("done"):
        questions.append(Question(rng.choice(GENERIC if rng.random() < 0.7 else ENDED), FINISHED))
    elif own is not None:
        generic = bare or rng.random() < 0.15
        questions.append(Question(rng.choice(GENERIC) if generic else own.instruction, own.reply))
    rng.shuffle(questions)
    if bare and rng.random() < 0.6:
        # What only the page says has to be read from it, which takes the most practice.
        questions.sort(key=lambda question: question.instruction not in GENERIC)
    return questions


def uncovered(record: PageRecord) -> list[tuple[DomElement, int, int]]:
    """What ``named`` does, but under a dialog nothing."""
    over = record["extra"].get("over")
    return [each for each in named(record) if over is None or each[0]["text"] in over]


def closing_reply(record: PageRecord) -> TaughtReply | None:
    """How to get rid of a dialog that lies over the page, None where there is none."""
    closer = record["extra"].get("dismiss")
    for element in record["elements"]:
        if closer is not None and element["text"] == closer:
            return click("Close the dialog.", element)
    return None


def own_reply(record: PageRecord) -> TaughtReply | None:
    """What a page asks for by itself, or that it is done."""
    if record["extra"].get("done"):
        return FINISHED
    return own.reply if (own := own_question(record)) is not None else None


def own_question(record: PageRecord) -> Question | None:
    """The page's own request with its reply, where one click (the first) settles it."""
    if not (utterance := record["utterance"]):
        return None
    role, text, order = _wanted(record["task"], utterance)
    if "wanted" in record["extra"]:
        role, text, order = "button", record["extra"]["wanted"], None
    for element, rank, count in named(record, strict=False):
        if element["role"] == role and (text is None or element["text"] == text) and order in (None, rank):
            return Question(utterance, click(thought_of(element, rank, count), element))
    return None


def _wanted(task: str, utterance: str) -> tuple[str, str | None, int | None]:
    quoted = re.search(r'"([^"]*)"', utterance)
    name = quoted.group(1) if quoted else None
    if task in ("click-test-2", "click-button-sequence"):
        return "button", "ONE", None
    if task == "click-dialog" or (task == "click-dialog-2" and name == "x"):
        return "close", None, None
    if task == "focus-text-2":
        ordinal = re.search(r"the (\w+) input", utterance)
        return "textbox", None, ORDINALS.index(ordinal.group(1)) if ordinal else None
    if task == "click-tab":
        return "tab", utterance.removeprefix("Click on ").removesuffix("."), None
    roles = {"click-link": "link", "focus-text": "textbox", "enter-text": "textbox"}
    return roles.get(task, "button"), None if task == "enter-text" else name, None
