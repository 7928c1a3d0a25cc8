"""Subshells from Python. Every function may be called from any thread of a loaded kernel.

All of them raise `ipyext.errors.NotLoadedError` where the extension is not loaded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ipyext.extension import active
from ipyext.shells import view
from ipyext.shells.cell_output import CellOutput
from ipyext.shells.interrupts import Blocked
from ipyext.shells.jobs import Job
from ipyext.shells.view import Subshell

if TYPE_CHECKING:
    from ipyext.debug.client import Debugger

__all__ = [
    "Blocked",
    "CellOutput",
    "Debugger",
    "Job",
    "Subshell",
    "create_subshell",
    "current_subshell",
    "debugger",
    "delete_subshell",
    "interrupt",
    "jobs",
    "outputs",
    "patches",
    "run_on_main",
    "subshell",
    "subshells",
]

T = TypeVar("T")


def __getattr__(name: str) -> Any:
    if name == "Debugger":  # not imported before it is used
        from ipyext.debug.client import Debugger

        return Debugger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def subshells() -> list[Subshell]:
    """All subshells: the parent first, then the children by age, then zombies."""
    return view.everyone(active().engine)


def subshell(name: str) -> Subshell:
    """The subshell with that name or id (or the first characters of it); ``"main"`` is the parent.

    Raises:
        SubshellNotFoundError: there is none.
    """
    return view.find(active().engine, name)


def current_subshell() -> Subshell:
    """The subshell that the calling code runs in."""
    return view.current(active().engine)


def create_subshell(name: str | None = None) -> Subshell:
    """Create a child subshell.

    Raises:
        SubshellNameError: the name is taken or cannot be used.
        TooManySubshellsError: there are as many as `IPyExt.max_subshells` allows.
    """
    engine = active().engine
    return view.describe(engine, engine.registry.create(name))


def delete_subshell(name: str) -> None:
    """Delete a child subshell by name or id, without waiting for its code.

    Raises:
        SubshellNotFoundError: there is none.
    """
    subshell(name).delete()


def interrupt(name: str | None = None) -> list[Blocked]:
    """Interrupt one subshell; without a name, what the stop button would.

    Returns the children that an earlier interrupt has not reached yet: they are in native code,
    and it arrives when that returns.

    Raises:
        SubshellNotFoundError: there is none of that name.
    """
    if name is None:
        return active().engine.interrupts.stop_button()
    return subshell(name).interrupt()


def run_on_main(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call `function` on the main thread as soon as main is free, and return its result.

    Main is free between its cells, and for plain functions also while its cell waits for a job.
    For code that is bound to the main thread: GUI toolkits, OpenGL, VTK. What it prints shows
    under the calling cell; an interrupt ends the wait. On the main thread it is a plain call.

    Raises:
        MainCallCancelledError: the extension was unloaded before main was free.
        MainWaitsError: main waits for the calling code, and `function` is a coroutine function.
        Exception: what `function` raised.
    """
    result: T = active().engine.main_calls.run(functools.partial(function, *args, **kwargs))
    return result


def debugger() -> Debugger:
    """The debugger of this kernel: `start` it, set breakpoints, look at what is stopped.

    There is one for all shells; `%debugctl` works on the same.
    """
    return active().engine.debug.parts.client


def jobs() -> list[Job]:
    """Detached cells, oldest first."""
    return list(active().engine.launcher.jobs)


def outputs(name: str | None = None, since: float | None = None) -> list[CellOutput]:
    """Cells and what they have put out, the one that began first first; not the calling cell.

    Those with something to show, and those that run, as far as `IPyExt.keep_output` goes.

    Args:
        name: only cells of this subshell, which may be deleted; ``"main"`` is the parent.
        since: only cells with something newer than this, in seconds since the epoch.

    Raises:
        SubshellNotFoundError: there is none of that name, and there was none.
        OutputStuckError: it cannot be known now.
    """
    return active().engine.outputs.cells(name, since)


def patches() -> list[Any]:
    """What is patched in this kernel and why: a list of `ipyext_patches.PatchReport`."""
    return active().host.report()
