"""What the boundary raises. Every message says what happened, why, and what to do."""

from __future__ import annotations


class PatchError(Exception):
    """Base of everything the boundary raises; never raised itself."""


class UnsupportedTargetError(PatchError):
    """Nothing was changed: a version or an object is not what this release was checked against.

    Attributes:
        target: what was looked at, for instance ``"ipykernel"``.
        found: what was found there.
        expected: what would have been accepted.
    """

    def __init__(self, target: str, found: str, expected: str, advice: str) -> None:
        super().__init__(
            f"ipyext was not loaded and nothing was changed: {target} is {found}, "
            f"but ipyext is checked with {expected}. {advice}"
        )
        self.target = target
        self.found = found
        self.expected = expected


class UnsupportedDebuggerError(PatchError):
    """The debugger was not started: debugpy's version is not a checked one."""


class NotAKernelError(PatchError):
    """Nothing was changed: there is no running ipykernel to extend here."""


class PatchConflictError(PatchError):
    """Applying a change failed; everything applied before it was reverted."""

    def __init__(self, patch_id: str, reason: str) -> None:
        super().__init__(
            f"ipyext was not loaded and every change was taken back: patch {patch_id!r} could not "
            f"be applied ({reason}). Restart the kernel, load ipyext before other extensions that "
            f"change the kernel, and report this if it happens again."
        )
        self.patch_id = patch_id


class DebuggerInUseError(PatchError):
    """Somebody else debugs this process already."""

    def __init__(self) -> None:
        super().__init__(
            "debugpy is in use in this kernel already: a client is connected to a port that "
            "debugpy.listen() or debugpy.connect() opened before ipyext was loaded. Disconnect "
            "that client first; with ipyext loaded, debugpy.listen() gives a port of ipyext's own "
            "that several clients can use."
        )


class CellFolderError(PatchError):
    """Cells cannot be written as files."""

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(
            f"Cells cannot be written to {folder} for the debugger: {why}. Set TMPDIR to a folder "
            f"that only you can write to and restart the kernel."
        )
