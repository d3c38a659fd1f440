"""Saccade: a runtime for native GUI agents that look, think, act and look again.

The rooms, from the ground up, are ``saccade.actions``, ``saccade.perception``, ``saccade.env``,
``saccade.agent`` and ``saccade.tasks``. Importing this package imports nothing heavy: no torch, no
display, no network.
"""

__version__ = "0.1.0"
