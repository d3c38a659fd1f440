"""Our environments for agents that speak Gymnasium.

``register()`` makes known to ``gymnasium.make``: ``saccade/browser-v0``, ``saccade/desktop-v0`` and one
``saccade/miniwob-TASK-v0`` for each MiniWoB++ task. Importing this module registers nothing.
"""

from __future__ import annotations

from ...actions.extras import need_package
from ...env.browser.miniwob_pages import flight_tasks, miniwob_tasks

_MODULE = __name__.rpartition(".")[0] + ".gym_env"


def register() -> list[str]:
    """Register the environments that are not yet registered; the names of all.

    Raises:
        MissingPartError: gymnasium or the MiniWoB++ pages are not installed.
    """
    gymnasium = need_package("gymnasium")

    names = {"saccade/browser-v0": "BrowserEnv", "saccade/desktop-v0": "DesktopEnv"}
    tasks = {f"saccade/miniwob-{task}-v0": task for task in (*miniwob_tasks(), *flight_tasks())}
    for name, maker in names.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=f"{_MODULE}:{maker}", nondeterministic=True)
    for name, task in tasks.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=f"{_MODULE}:MiniWobEnv", kwargs={"task": task})
    return [*names, *tasks]
