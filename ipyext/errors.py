"""What ipyext raises. Every message says what happened, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


def said(error: BaseException) -> str:
    """What it is and what it says. Never raises, as `str` of an error of people's may."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        return name
    return f"{name}: {text}" if text else name


class IpyextError(Exception):
    """Base of everything ipyext raises; never raised itself."""


class NotLoadedError(IpyextError):
    """The extension is not loaded in this kernel."""

    def __init__(self) -> None:
        super().__init__("ipyext is not loaded in this kernel. Run %load_ext ipyext first.")


class SubshellNotFoundError(IpyextError, LookupError):
    """No child subshell has that name or id."""

    def __init__(self, wanted: object, names: Iterable[str] = ()) -> None:
        known = ", ".join(sorted(names))
        super().__init__(
            f"There is no subshell {wanted!r}. "
            + (f"There are: {known}." if known else "There are none; create one first.")
        )
        self.wanted = wanted


class SubshellNameError(IpyextError, ValueError):
    """The name cannot be given to a subshell."""

    def __init__(self, name: object, why: str) -> None:
        super().__init__(f"A subshell cannot be named {name!r}: {why}.")
        self.name = name


class SubshellDeletedError(IpyextError):
    """The subshell was deleted before it had answered."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"Subshell {label} was deleted before this request was answered. "
            "Send it to another subshell."
        )


class TooManySubshellsError(IpyextError):
    """The kernel has as many subshells as it may have, or as the system lets it have."""

    def __init__(self, count: int, why: str) -> None:
        super().__init__(
            f"No further subshell was created: there are {count}, and {why}. "
            "Delete some (%subshell delete NAME, or --all)."
        )


class MainCallCancelledError(IpyextError):
    """The extension was unloaded before main was free to run it."""

    def __init__(self) -> None:
        super().__init__("ipyext was unloaded before main was free to run this.")


class MainWaitsError(IpyextError):
    """Main waits for the very code that asks for it, and cannot run a coroutine meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "Main waits for this very code, and while it waits for a job it makes calls of plain "
            "functions only. Ask for a plain function, or wait for the job in another subshell."
        )


class JobCancelledError(IpyextError):
    """A detached cell was cancelled."""


class JobNotDoneError(IpyextError, TimeoutError):
    """A detached cell did not end in time; it is still running."""


class OutputNotFoundError(IpyextError, LookupError):
    """Nothing is kept of what that cell has put out."""

    def __init__(self, what: str, dropped: int, megabytes: float) -> None:
        if not megabytes:
            why = "IPyExt.keep_output is 0, so no output is kept"
        elif dropped:
            why = (
                f"{dropped} cells that ended long ago were dropped, since IPyExt.keep_output is "
                f"{megabytes:g} MB"
            )
        else:
            why = "it has not run since ipyext was loaded, or it only looked at output"
        super().__init__(f"Nothing is kept of {what}: {why}. %subshell output lists what there is.")


class OutputStuckError(IpyextError):
    """The thread that sends output does not answer."""

    def __init__(self) -> None:
        super().__init__(
            "The thread that sends output has not answered for ten seconds, so what cells have "
            "put out cannot be looked at now. Native code may hold the interpreter; try again."
        )


class DebuggerError(IpyextError):
    """The debugger cannot do that now; the message says why, and what to do."""
