"""Which failures the user can fix, and the one line that says how."""

from __future__ import annotations

import errno

from ...actions.errors import SaccadeError
from ...actions.untrusted import visible


def explain(error: BaseException) -> str | None:
    """One line for an error raised on purpose or a full disk; None for a bug, which keeps its traceback."""
    if isinstance(error, SaccadeError):
        return visible(" ".join(str(error).split()))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        where = f" while writing {error.filename}" if error.filename else ""
        return f"the disk is full{where}; free some space or choose --out elsewhere"
    return None
