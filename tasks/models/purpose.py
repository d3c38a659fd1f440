"""What the embedded policy is for, said where it is asked for something else."""

from __future__ import annotations

EMBEDDED = "embedded"
_OTHERS = "--model ByteDance-Seed/UI-TARS-1.5-7B, another checkpoint, or --model openai:URL#NAME on a server"


def purpose(model: str, place: str, *, own_size: bool = False) -> str | None:
    """What to say before a model acts in a place; None where it is made for it.

    Args:
        model: its name.
        place: an environment, as ``make_environment`` names it, or a suite.
        own_size: whether the model chooses the size of the page.
    """
    if not _lost(model, place):
        return None
    said = f"the embedded policy solves small pages such as those of MiniWoB++; for other work name a model: {_OTHERS}"
    if own_size:
        said += "\nit sees the page in the small size that it was trained on; --viewport WxH chooses another"
    return said


def afterwards(model: str, place: str) -> str | None:
    """What to say when a model has not achieved the task in a place; None where it is made for it."""
    if not _lost(model, place):
        return None
    return f"the embedded policy is not made for such work, only for small pages; name a model: {_OTHERS}"


def _lost(model: str, place: str) -> bool:
    return model == EMBEDDED and place.partition(":")[0] not in ("miniwob", "memory")
