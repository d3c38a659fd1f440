"""How the window manager of a private display behaves: as little as possible."""

from __future__ import annotations

# One workspace, new windows focused, no key or click that is the window manager's own but on frames; and a
# window goes where it is dragged, where others hold it at an edge of the screen.
_OPENBOX = """<?xml version="1.0"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew><focusLast>yes</focusLast></focus>
  <resistance><strength>0</strength><screen_edge_strength>0</screen_edge_strength></resistance>
  <placement><policy>Smart</policy><center>yes</center></placement>
  <theme><name>Clearlooks</name><titleLayout>LIMC</titleLayout><animateIconify>no</animateIconify></theme>
  <desktops><number>1</number></desktops>
  <keyboard>
    <keybind key="A-F4"><action name="Close"/></keybind>
    <keybind key="A-Tab"><action name="NextWindow"/></keybind>
  </keyboard>
  <mouse>
    <dragThreshold>4</dragThreshold>
    <doubleClickTime>400</doubleClickTime>
    <context name="Titlebar">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
      <mousebind button="Left" action="Drag"><action name="Move"/></mousebind>
      <mousebind button="Left" action="DoubleClick"><action name="ToggleMaximize"/></mousebind>
    </context>
    <context name="Close">
      <mousebind button="Left" action="Click"><action name="Close"/></mousebind>
    </context>
    <context name="Maximize">
      <mousebind button="Left" action="Click"><action name="ToggleMaximize"/></mousebind>
    </context>
    <context name="Iconify">
      <mousebind button="Left" action="Click"><action name="Iconify"/></mousebind>
    </context>
    <context name="Client">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
    </context>
    RESIZE
  </mouse>
</openbox_config>
"""
_RESIZE = """<context name="{0}">
      <mousebind button="Left" action="Drag"><action name="Resize"><edge>{1}</edge></action></mousebind>
    </context>"""
_EDGES = {"Left": "left", "Right": "right", "Bottom": "bottom", "BLCorner": "bottomleft", "BRCorner": "bottomright"}


def openbox_settings() -> str:
    """The text of openbox's settings file."""
    resize = "".join(_RESIZE.format(context, edge) for context, edge in _EDGES.items())
    return _OPENBOX.replace("RESIZE", resize)
