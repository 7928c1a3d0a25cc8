"""Changes of files: planned, told, and then made, all of them or none."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class InstallError(Exception):
    """It cannot be done, and nothing was changed; the message says why, and what to do."""


@dataclass(frozen=True)
class Change:
    """One change of one path.

    Attributes:
        path: what is changed.
        note: what a person should know about it.
    """

    path: Path
    note: str = ""

    @property
    def verbs(self) -> tuple[str, str]:
        """What is done to it: the verb, and its participle."""
        raise NotImplementedError

    def words(self, made: bool) -> str:
        """The change in a line, planned or made."""
        verb = self.verbs[1].capitalize() if made else f"Would {self.verbs[0]}"
        return f"{verb} {self.path}" + (f" ({self.note})" if self.note else "")

    def make(self) -> None:
        """Make it; raises OSError, and then nothing has changed."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take it back."""
        raise NotImplementedError


class MakeFolder(Change):
    """A folder that is not there yet; the one above it is."""

    @property
    def verbs(self) -> tuple[str, str]:
        return "create", "created"

    def make(self) -> None:
        self.path.mkdir()

    def undo(self) -> None:
        self.path.rmdir()


class RemoveFolder(Change):
    """A folder that will be empty by then."""

    @property
    def verbs(self) -> tuple[str, str]:
        return "remove", "removed"

    def make(self) -> None:
        self.path.rmdir()

    def undo(self) -> None:
        self.path.mkdir()


@dataclass(frozen=True)
class WriteFile(Change):
    """A file gets other contents.

    Attributes:
        new: what it is to hold; None for no file.
        old: what it holds; None if there is none.
    """

    new: bytes | None = None
    old: bytes | None = None

    @property
    def verbs(self) -> tuple[str, str]:
        if self.new is None:
            return "remove", "removed"
        return ("create", "created") if self.old is None else ("change", "changed")

    def make(self) -> None:
        _put(self.path, self.new)

    def undo(self) -> None:
        _put(self.path, self.old)


def _put(path: Path, content: bytes | None) -> None:
    path = Path(os.path.realpath(path))  # people link such files to a repository of theirs
    if content is None:
        path.unlink()
        return
    if path.exists() and path.stat().st_nlink > 1:  # or in that way; a new file is no link
        _overwrite(path, content)
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if path.exists():
            shutil.copymode(path, name)
        else:
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)
        # Kernels that start at this moment read the old contents or the new, not half of them.
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _overwrite(path: Path, content: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        old = file.read()
        try:
            _fill(file, content)
        except BaseException:
            _fill(file, old)
            raise


def _fill(file: io.FileIO, content: bytes) -> None:
    file.seek(0)
    while content:
        content = content[file.write(content) :]
    file.truncate()


def make(changes: Sequence[Change]) -> None:
    """Make all of the changes, in order.

    Raises:
        InstallError: one was refused by the system; those before it have been taken back.
    """
    made: list[Change] = []
    for change in changes:
        try:
            change.make()
        except OSError as error:
            for done in reversed(made):
                with contextlib.suppress(OSError):
                    done.undo()
            raise InstallError(
                f"Cannot {change.verbs[0]} {change.path}: {error.strerror or error}. Nothing was "
                "changed. Use a place that you may write to (see --user, --sys-prefix, --prefix)."
            ) from None
        made.append(change)


def folders_for(folder: Path) -> list[Change]:
    """The changes after which `folder` is there: one for each folder that is missing.

    Raises:
        InstallError: a link, or something else than a folder, is where one of them has to be.
    """
    missing: list[Change] = []
    while not folder.is_dir():
        if folder.is_symlink():
            raise InstallError(
                f"{folder} is a link to {os.readlink(folder)}, which is no folder. "
                "Nothing was changed."
            )
        if folder.exists():
            raise InstallError(f"{folder} is no folder. Nothing was changed.")
        missing.append(MakeFolder(folder))
        folder = folder.parent
    return missing[::-1]


def folders_without(paths: Sequence[Path], folder: Path, count: int) -> list[Change]:
    """The changes that remove `folder` and those above it, once `paths` are gone.

    Args:
        paths: what will have gone from `folder`.
        folder: the innermost of them.
        count: how many we have made, this one included. Only empty ones are removed.
    """
    gone = {os.path.normpath(path) for path in paths}
    changes: list[Change] = []
    for _ in range(count):
        if {os.path.normpath(path) for path in folder.iterdir()} - gone:
            break
        changes.append(RemoveFolder(folder))
        gone = {os.path.normpath(folder)}
        folder = folder.parent
    return changes
