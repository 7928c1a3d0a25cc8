"""ipyext: a stock Jupyter kernel that can be used, inspected and debugged while it is busy.

``%load_ext ipyext`` loads it, ``%unload_ext ipyext`` gives the stock kernel back. The same from
Python: `subshells`, `create_subshell` and friends, documented in `ipyext.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipyext.api import (
        Blocked,
        CellOutput,
        Debugger,
        Job,
        Subshell,
        create_subshell,
        current_subshell,
        debugger,
        delete_subshell,
        interrupt,
        jobs,
        outputs,
        patches,
        run_on_main,
        subshell,
        subshells,
    )

__version__ = "0.1.0.dev0"

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
    "load_ipython_extension",
    "outputs",
    "patches",
    "run_on_main",
    "subshell",
    "subshells",
    "unload_ipython_extension",
]


def load_ipython_extension(ipython: Any) -> None:
    """Extend the kernel that `ipython` belongs to. Called by ``%load_ext ipyext``."""
    from ipyext.extension import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Give the stock kernel back. Called by ``%unload_ext ipyext``."""
    from ipyext.extension import unload

    unload()


def __getattr__(name: str) -> Any:
    # Importing the package must stay free of imports: profiles and spawners import it early.
    if name in __all__:
        from ipyext import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
