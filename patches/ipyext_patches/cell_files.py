"""Cells as files: the names that ipykernel compiles cells under, and their text there."""

from __future__ import annotations

import contextlib
import linecache
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipyext_patches.errors import CellFolderError

SEED = 0xC70F6907
_ENDS = ("", "\n", "\n\n")


def murmur2(text: str, seed: int = SEED) -> int:
    """The hash in the names of cells, the one that front ends compute as well.

    MurmurHash2, 32 bit, by Austin Appleby (public domain), of the UTF-8 text.
    """
    data = text.encode("utf-8", "surrogatepass")
    mask, factor = 0xFFFFFFFF, 0x5BD1E995
    found = (seed ^ len(data)) & mask
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        part = int.from_bytes(data[start : start + 4], "little") * factor & mask
        part = (part ^ part >> 24) * factor & mask
        found = (found * factor & mask) ^ part
    if whole < len(data):
        found = (found ^ int.from_bytes(data[whole:], "little")) * factor & mask
    found = (found ^ found >> 13) * factor & mask
    return found ^ found >> 15


def folder() -> str:
    """Where the cells of this process are, as ipykernel 6 and 7 name it."""
    compiler = sys.modules.get("ipykernel.compiler")
    if compiler is not None:
        return str(compiler.get_tmp_directory())
    return os.path.join(os.path.realpath(tempfile.gettempdir()), f"ipykernel_{os.getpid()}")


def given_name() -> str:
    """The name that somebody wants cells to have now; empty if nobody does."""
    return os.environ.get("IPYKERNEL_CELL_NAME", "")


def file_of(code: str) -> str:
    """The file that a cell with this text is compiled as, unless VS Code names it after none."""
    compiler = sys.modules.get("ipykernel.compiler")
    given = given_name()
    if not given.startswith("<"):
        if compiler is not None:
            return str(compiler.get_file_name(code))
        if given:
            return given
    return os.path.join(folder(), f"{murmur2(code)}.py")


class CellFiles:
    """Writes cells, for this user's eyes only. Any thread."""

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._named: dict[int, tuple[str, str]] = {}

    def named(self, number: int, code: str, name: str) -> None:
        """The Interactive Window has named main's cell with that execution count; no file has."""
        self._named[number] = (code.rstrip("\n"), name)

    def name_of(self, number: int, code: str) -> str | None:
        """The Window's name for main's cell with that execution count and text, if it gave one."""
        text, name = self._named.get(number, ("", None))
        return name if text == code.rstrip("\n") else None

    def as_compiled(self, code: str) -> str:
        """A cell's text as it was compiled, which history keeps without the newlines at its end."""
        for end in _ENDS:
            if file_of(code + end) in linecache.cache:  # IPython puts all cells there
                return code + end
        return code

    def number_of(self, main: Any, code: str) -> int | None:
        """The execution count with which a cell of that text was compiled last, if that is known.

        All shells count there, so it may be that of another one that ran the same text.
        """
        numbers = getattr(main.compile, "_filename_map", {})  # IPython 8 on
        found = numbers.get(file_of(self.as_compiled(code)))
        if isinstance(found, int):
            return found
        text = code.rstrip("\n")
        named = [number for number, (other, _) in self._named.copy().items() if other == text]
        return max(named, default=None)

    def write(self, code: str) -> str:
        """Write a cell to its file, mode 0600, and return the path.

        Raises:
            CellFolderError: the folder is somebody else's, or cannot be written to.
        """
        path = file_of(code)
        if path in self._written and os.path.exists(path):
            return path
        try:
            _make_private(os.path.dirname(path))
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(handle, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
                if hasattr(os, "fchmod"):
                    os.fchmod(handle, 0o600)
                file.write(code)
        except OSError as error:
            raise CellFolderError(os.path.dirname(path), str(error)) from error
        self._written.add(path)
        return path

    def remove(self) -> None:
        """Remove what was written, and the folder if it is empty then."""
        for path in self._written:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for parent in {os.path.dirname(path) for path in self._written}:
            with contextlib.suppress(OSError):
                os.rmdir(parent)
        self._written.clear()


def _make_private(name: str) -> None:
    Path(name).mkdir(mode=0o700, parents=True, exist_ok=True)
    if not hasattr(os, "getuid"):
        return
    found = os.lstat(name)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise CellFolderError(name, "it belongs to another user")
    if stat.S_IMODE(found.st_mode) & 0o077 and os.path.basename(name).startswith("ipykernel_"):
        os.chmod(name, 0o700)


class BlankLines:
    """Keeps the blank lines at the start of cells while the debugger is on: lines must match.

    VS Code's Interactive Window reckons with their removal.

    Args:
        main: the InteractiveShell.
        foreign: whether the calling cell is one of that; see `CellNames`.
    """

    def __init__(self, main: Any, foreign: Callable[[], bool]) -> None:
        self._manager = main.input_transformer_manager
        self._foreign = foreign
        self._replaced: list[tuple[Callable[..., Any], Callable[..., Any]]] = []

    def keep(self) -> None:
        """From the next cell on. Any thread."""
        from IPython.core.inputtransformer2 import leading_empty_lines

        transforms = self._manager.cleanup_transforms

        def of_named(lines: list[str]) -> list[str]:
            magic = next((line for line in lines if line.strip()), "").startswith("%%")
            return list(leading_empty_lines(lines)) if magic or self._foreign() else lines

        if leading_empty_lines in transforms:
            transforms[transforms.index(leading_empty_lines)] = of_named
            self._replaced.append((leading_empty_lines, of_named))

    def drop(self) -> None:
        """As IPython does again. Any thread."""
        transforms = self._manager.cleanup_transforms
        while self._replaced:
            original, ours = self._replaced.pop()
            if ours in transforms:
                transforms[transforms.index(ours)] = original
