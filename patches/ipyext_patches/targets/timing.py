"""%timeit, which puts variables back that it has not touched."""

from __future__ import annotations

import sys
import types
from types import FrameType
from typing import Any

from IPython.core.magic import Magics

from ipyext_patches.frameless import Frameless
from ipyext_patches.ledger import Change, SetAttribute
from ipyext_patches.spec import Patch

TIMEIT = Patch(
    id="magics.timeit",
    target="IPython.core.interactiveshell.InteractiveShell._find_with_lazy_load (main's); "
    "find_line_magic before IPython 8",
    what="%timeit leaves variables alone that other shells assign meanwhile.",
    why="It keeps its caller's variables, and at the end puts them back into the globals: at the "
    "top level of a cell, where these are the same, that is every variable there is.",
    upstream="IPython/core/magics/execution.py timeit",
)


def change(main: Any) -> Change:
    """See `TIMEIT`. Children look magics up through main, too."""
    lookup = "_find_with_lazy_load" if hasattr(main, "_find_with_lazy_load") else "find_line_magic"
    find = getattr(main, lookup)

    def found(*args: Any) -> Any:
        magic = find(*args)
        owner = getattr(magic, "__self__", None)
        if args not in (("line", "timeit"), ("timeit",)) or not isinstance(owner, Magics):
            return magic
        return types.MethodType(_Timeit(magic.__func__, main), owner)

    return SetAttribute(TIMEIT, main, lookup, found)


class _Timeit(Frameless):
    """The function of `%timeit`, to which IPython gives its caller's variables if it needs them."""

    def __init__(self, timeit: Any, main: Any) -> None:
        super().__init__(timeit, lambda: timeit)
        self._main = main

    @property
    def needs_local_scope(self) -> bool:
        """Whether the code that calls it has variables of its own. Asked by `run_line_magic`."""
        magic = sys._getframe(1).f_locals
        caller: FrameType | None = sys._getframe(1)
        for _ in range(magic.get("stack_depth", 0)):
            caller = caller and caller.f_back
        if caller is None or "stack_depth" not in magic:  # called by others
            return True
        found = caller.f_locals
        return found is not self._main.user_ns and found is not magic["self"].user_ns
