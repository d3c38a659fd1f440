"""A run in a process of its own, and a person at the display who stops it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from places import SOURCE
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.x11.connection import KEY_DOWN, KEY_UP, Connection, InjectedEvent

CHORD = (0xFFE3, 0xFFE9, ord("q"))


def test_the_chord_on_ones_own_display_stops_a_run_that_acts_elsewhere(tmp_path: Path) -> None:
    display = PrivateDisplay()
    person = Connection(display.name)
    codes = [person.display.keysym_to_keycode(symbol) for symbol in CHORD]
    with subprocess.Popen(
        [sys.executable, "-m", "saccade", "run", "Wait", "--env", "desktop", "--app", "mousepad"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "DISPLAY": display.name},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        while run.poll() is None:  # it is heard from when the desktop is there
            time.sleep(0.1)
            person.inject(InjectedEvent(KEY_DOWN, code) for code in codes)
            person.inject(InjectedEvent(KEY_UP, code) for code in codes)
            person.display.sync()
        said = run.stdout.read() if run.stdout else ""
    person.close()
    display.close()
    assert (run.returncode, "stopped by ctrl+alt+q" in said) == (130, True), said
