"""Replies as a GUI agent writes them, for several applications: thoughts and actions of UI-TARS' dialect.

Each application has one task of ten steps. Episodes of the same application resemble each other: other places on the
screen, other values, and now and then another phrase. Applications share the dialect and little else.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class UiEpisode:
    """A task in words, and the raw reply of each step."""

    instruction: str
    replies: tuple[str, ...]


_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "person": ("Anna Weber", "Tomás Ortega", "Priya Nair", "Li Wei", "Jonas Lind"),
    "file": ("budget_2025.xlsx", "trip-notes.txt", "minutes_march.docx", "invoice_0417.pdf", "draft_v3.md"),
    "city": ("Lisbon", "Osaka", "Toronto", "Nairobi", "Gdańsk"),
    "item": ("a blue backpack", "wireless earphones", "a desk lamp", "running shoes", "a steel bottle"),
    "number": ("12", "37", "140", "250", "86"),
    "see": ("I can see", "I notice", "The screen shows", "Looking at the screen, I see"),
    "next": ("Next I need to", "Now I should", "The next step is to", "To continue, I have to"),
}
_WHERE: Final = r"\{(\w+)\}"

_STEPS: Final[Mapping[str, tuple[str, Sequence[tuple[str, str]]]]] = {
    "mail": (
        "Forward the latest message from {person} to the accounting team and mark it as important",
        (
            ("{see} the inbox with several unread messages. I will open the one that {person} sent last.", "click"),
            ("The message is open. {next} find the forward button in the toolbar above the text.", "click"),
            ("A new draft has appeared. The recipient field is empty, so I click it first.", "click"),
            ("The cursor is in the recipient field. I type the address of the accounting team.", "type:accounting@"),
            ("A suggestion for the address pops up below. I choose it to confirm the recipient.", "click"),
            ("The recipient is set. {next} open the menu with more options beside the send button.", "click"),
            ("The menu lists several flags. I tick the one that marks the message as important.", "click"),
            ("Everything is filled in. I press the send button to forward the message.", "click"),
            ("A note says that the message was sent. I go back to the inbox to check it.", "click"),
            (
                "The forwarded message from {person} is in the sent folder with a red flag. The task is done.",
                "finished",
            ),
        ),
    ),
    "sheet": (
        "Sum the values of column C in {file} and write the total below the table in bold",
        (
            ("{see} a spreadsheet program with a start page. I open {file} from the list of recent files.", "double"),
            ("The table is loaded. Its values end in row {number}, which lies further down, so I scroll.", "scroll"),
            ("Now the last row of the table is visible. I select the empty cell below column C.", "click"),
            (
                "The cell is selected. {next} enter a formula that adds up all values above it.",
                "type:=SUM(C2:C{number})",
            ),
            ("The formula stands in the cell. I confirm it with the return key.", "hotkey:enter"),
            ("The total has been computed. I select the cell again so that I can format it.", "click"),
            ("With the cell selected, I press the shortcut that makes its content bold.", "hotkey:ctrl b"),
            ("The total is bold now. I save the workbook with the keyboard.", "hotkey:ctrl s"),
            ("A dialog asks whether to keep the current format. I keep it.", "click"),
            ("{file} is saved and the bold total stands below the table. Nothing is left to do.", "finished"),
        ),
    ),
    "shop": (
        "Order {item} for less than {number} euros and have it delivered to the office",
        (
            ("{see} the home page of an online shop. A cookie banner covers the lower part; I dismiss it.", "click"),
            ("The banner is gone. I click the search box at the top of the page.", "click"),
            ("The search box has focus. I type what I am looking for: {item}.", "type:{item}"),
            ("I submit the query to get the list of products.", "hotkey:enter"),
            ("Many results are listed. {next} limit the price with the filter on the left side.", "click"),
            ("I enter {number} as the upper limit of the price range.", "type:{number}"),
            ("The list shows cheaper products only. The first offer has good ratings, so I open it.", "click"),
            ("The product page is open. I put one piece into the shopping cart.", "click"),
            ("The cart shows the order. The office address is preselected, so I place the order.", "click"),
            ("A confirmation with an order number is displayed. {item} has been ordered.", "finished"),
        ),
    ),
    "files": (
        "Move {file} from the downloads into a new folder called Archive and compress the folder",
        (
            ("{see} a desktop with a dock at the bottom. I start the file manager from there.", "click"),
            ("The file manager shows the home directory. I enter the downloads by double-clicking.", "double"),
            (
                "{file} is in the third line. Before I move it I make the new folder: I right-click on free space.",
                "right",
            ),
            ("The context menu is open. I choose the entry that makes a folder.", "click"),
            ("A dialog asks for the name. I write Archive.", "type:Archive"),
            ("{next} press return to create the folder.", "hotkey:enter"),
            ("The folder exists. I drag {file} onto it.", "drag"),
            ("The file has moved. I right-click on the folder to see what can be done with it.", "right"),
            ("The menu offers compression. I select it and accept the suggested name.", "click"),
            ("The archive with {file} has been written next to the folder. That was the whole task.", "finished"),
        ),
    ),
    "travel": (
        "Find the cheapest direct flight to {city} next Friday and note its departure time",
        (
            ("{see} a flight search form. The destination is still blank, so I put the cursor there.", "click"),
            ("I type the name of the destination.", "type:{city}"),
            ("The site proposes airports. {city} comes first and I pick it.", "click"),
            ("{next} choose the date. I open the calendar.", "click"),
            ("The calendar shows the current month. Next Friday is highlighted when I hover; I select it.", "click"),
            ("Both fields are complete. I tick the box for flights without a stop.", "click"),
            ("I start the search with the large orange button.", "click"),
            ("Results are being sorted by duration. I switch to sorting by price instead.", "click"),
            ("The cheapest connection costs {number} euros. I expand its details to read the departure.", "click"),
            ("The flight to {city} leaves in the morning. I have the time and can stop here.", "finished"),
        ),
    ),
}
APPLICATIONS: Final = tuple(_STEPS)


def ui_episode(application: str, number: int) -> UiEpisode:
    """The episode of this number: the same whenever it is asked for."""
    rng = random.Random(f"{application} {number}")
    values = {name: rng.choice(each) for name, each in _VALUES.items() if name not in ("see", "next")}

    def fill(text: str) -> str:
        return re.sub(_WHERE, lambda found: values.get(found[1]) or rng.choice(_VALUES[found[1]]), text)

    instruction, steps = _STEPS[application]
    replies = (f"Thought: {fill(thought)}\nAction: {_action(fill(action), rng)}" for thought, action in steps)
    return UiEpisode(fill(instruction), tuple(replies))


def _action(action: str, rng: random.Random) -> str:
    kind, _, value = action.partition(":")
    place = f"({rng.randrange(20, 980)},{rng.randrange(20, 980)})"
    if kind == "type":
        return f"type(content='{value}')"
    if kind == "hotkey":
        return f"hotkey(key='{value}')"
    if kind == "scroll":
        return f"scroll(start_box='{place}', direction='down')"
    if kind == "drag":
        return f"drag(start_box='{place}', end_box='({rng.randrange(20, 980)},{rng.randrange(20, 980)})')"
    if kind == "finished":
        return "finished()"
    name = {"click": "click", "double": "left_double", "right": "right_single"}[kind]
    return f"{name}(start_box='{place}')"


def corpus() -> list[str]:
    """Texts of the kind that a tokenizer has seen: episodes that are never measured."""
    episodes = (ui_episode(application, 900 + number) for application in APPLICATIONS for number in range(4))
    return [text for episode in episodes for text in (episode.instruction, *episode.replies)]
