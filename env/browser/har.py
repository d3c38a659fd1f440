"""Checking a HAR file before a browser answers from it: it may come from others."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...actions.errors import TrajectoryError, first_problem
from ...actions.files import UnusableFileError, read_file
from ...actions.untrusted import contained, parse_json


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Body(_Part):
    text: str | None = None
    encoding: str | None = None
    file: str | None = Field(default=None, alias="_file")


class _Header(_Part):
    name: str
    value: str


class _Request(_Part):
    method: str
    url: str
    headers: list[_Header]
    postData: _Body | None = None


class _Response(_Part):
    status: Annotated[int, Field(ge=-1, le=999)]
    headers: list[_Header]
    content: _Body
    redirectURL: str | None = None


class _Entry(_Part):
    request: _Request
    response: _Response


class _Log(_Part):
    entries: list[_Entry]


class _Archive(_Part):
    log: _Log


def checked_har(folder: Path, name: str) -> Path:
    """The HAR file in a folder, and whatever bodies it names are in the folder too.

    Playwright reads the files that a HAR names for bodies, wherever they are, and unpacks archives.

    Raises:
        TrajectoryError: it is missing, damaged, or names a file outside the folder.
    """
    try:
        file = contained(folder, name)
        if not name.endswith(".har"):
            raise UnusableFileError(file, "it is no .har file")
        found = _Archive.model_validate(parse_json(read_file(file)))
        for body in _bodies(found):
            if body.file is not None and not stat.S_ISREG(contained(folder, body.file).stat().st_mode):
                raise UnusableFileError(file, f"{body.file!r} is no file")
    except OSError as error:
        raise TrajectoryError(f"{folder / name}: cannot be used: {error.strerror}") from error
    except ValidationError as error:
        raise TrajectoryError(f"{folder / name}: is not what a browser recorded: {first_problem(error)}") from error
    except ValueError as error:
        raise TrajectoryError(f"{folder / name}: is not what a browser recorded: {error}") from error
    return file


def _bodies(archive: _Archive) -> list[_Body]:
    found: list[Any] = []
    for entry in archive.log.entries:
        found += [entry.response.content, entry.request.postData]
    return [body for body in found if body is not None]
