"""The first user message of UI-TARS models: one scaffold, one list of action lines per generation.

The calls in the action space are a published interface: checkpoints were trained on these names and
arguments, so they must not change by a letter. The text around them is ours.
"""

from __future__ import annotations

_ROLE = (
    "You are a GUI agent. You are given a task and your action history, with screenshots. "
    "You need to perform the next action to complete the task."
)
_NOTES = (
    "- Write the `Thought` part in English.",
    "- In `Thought`, make a small plan, then name your next action and its target in one sentence.",
)
MANY = "- Several actions may follow one `Action:`, with a blank line between them."

_ESCAPES = r"Write \', \" and \n for quotes and line breaks inside content."
_TYPE = rf"type(content='xxx') # {_ESCAPES} End content with \n to submit."
_FINISHED = rf"finished(content='xxx') # {_ESCAPES}"
_HOTKEY = "hotkey(key='ctrl c') # Lower-case keys, split with spaces, at most 3."
_WAIT = "wait() # Sleep for 5s and take a screenshot to see what changed."
_CALL_USER = "call_user() # When the task cannot be done, or needs the user's help."
_WAYS = "direction='down or up or right or left'"
_BOX, _BOX_3 = "<|box_start|>(x1,y1)<|box_end|>", "<|box_start|>(x3,y3)<|box_end|>"
_P, _P_2 = "<point>x1 y1</point>", "<point>x2 y2</point>"

_BOXED = (
    f"click(start_box='{_BOX}')",
    f"left_double(start_box='{_BOX}')",
    f"right_single(start_box='{_BOX}')",
    f"drag(start_box='{_BOX}', end_box='{_BOX_3}')",
)
_BOXED_SCROLL = f"scroll(start_box='{_BOX}', {_WAYS})"

UITARS_10 = (
    *_BOXED,
    "hotkey(key='')",
    r'type(content="") # To submit the input, end content with "\n".'.replace('""', "''"),
    _BOXED_SCROLL,
    _WAIT,
    "finished()",
    _CALL_USER,
)
UITARS_10_MOBILE = (
    f"click(start_box='{_BOX}')",
    f"long_press(start_box='{_BOX}', time='')",
    "type(content='')",
    f"scroll(start_box='{_BOX}', end_box='{_BOX_3}')",
    "press_home()",
    "press_back()",
    "finished(content='') # Say in content what was asked for, if anything.",
)
UITARS_15 = (*_BOXED, _HOTKEY, _TYPE, _BOXED_SCROLL, _WAIT, _FINISHED, _CALL_USER)
_POINTED = (
    f"click(point='{_P}')",
    f"left_double(point='{_P}')",
    f"right_single(point='{_P}')",
    f"drag(start_point='{_P}', end_point='{_P_2}')",
)
_POINTED_SCROLL = f"scroll(point='{_P}', {_WAYS}) # Show more of what lies on the `direction` side."
_HELD = ("press(key='ctrl') # Hold a key down until it is released.", "release(key='ctrl') # Let a held key go.")
DOUBAO = (*_POINTED, _HOTKEY, _TYPE, _POINTED_SCROLL, *_HELD, _WAIT, _CALL_USER, _FINISHED)
DOUBAO_BROWSER = (
    *_POINTED[:3],
    "navigate(content='xxx') # Open an address (browser only).",
    "navigate_back() # Go back one page (browser only).",
    *DOUBAO[3:],
)
DOUBAO_MOBILE = (
    f"click(point='{_P}')",
    f"long_press(point='{_P}')",
    r"type(content='') # To submit the input, end content with \n.",
    f"scroll(point='{_P}', {_WAYS})",
    "open_app(app_name='')",
    f"drag(start_point='{_P}', end_point='{_P_2}')",
    "press_home()",
    "press_back()",
    _FINISHED,
)
OMNI = ("open_computer() # Show the computer's screen before the first action.", *DOUBAO)


def scaffold(space: tuple[str, ...], instruction: str, notes: tuple[str, ...], form: str) -> str:
    """The first user message with a list of action lines."""
    sections = (
        _ROLE,
        f"## Output Format\n```\n{form}\n```",
        "## Action Space\n\n" + "\n".join(space),
        "## Note\n" + "\n".join((*_NOTES, *notes)),
        f"## User Instruction\n{instruction}",
    )
    return "\n\n".join(sections)
