"""Places in files, which debugpy takes as they come: breakpoints that nothing can come by."""

from __future__ import annotations

import ast
import itertools
import os
import tokenize

_MUCH = 1_000_000  # bytes; nobody has a program of that size, and it is not read to find out


def never(path: str, line: int) -> str | None:
    """Why no code comes by a line of a file, for a person; None if some may.

    A breakpoint where no code is stands at the last code before it: there has to be some. A Python
    file with errors may be mended, and one with magics is a cell. Any thread.
    """
    if path.startswith("<") or not os.path.exists(path):
        return None  # no file at all, or in an archive: debugpy says what is not there
    if not os.path.isfile(path):
        return f"{path} is no file."
    python = path.endswith(".py")
    if not python and os.path.getsize(path) > _MUCH:
        return f"{path} is no Python file."
    try:
        with tokenize.open(path) as file:
            if all(_is_empty(text) for text in itertools.islice(file, max(line, 0))):
                return f"No code is at line {line} or before it."
            if not python:
                file.seek(0)
                ast.parse(file.read())
    except OSError:
        return None
    except (SyntaxError, ValueError, RecursionError):
        return None if python else f"{path} is no Python file."
    return None


def same_file(one: str, other: str) -> bool:
    """Whether two paths are of one file, or of one cell that is none. Any thread."""
    if os.path.normcase(one) == os.path.normcase(other):
        return True
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is not there
        return False


def _is_empty(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
