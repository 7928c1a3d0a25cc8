"""%timeit, which puts variables back that it has not touched."""

from __future__ import annotations

import functools
import types
from typing import Any

from IPython.core.magic import Magics

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
        return types.MethodType(_at_top_level(magic.__func__, main), owner)

    return SetAttribute(TIMEIT, main, lookup, found)


def _at_top_level(timeit: Any, main: Any) -> Any:
    @functools.wraps(timeit)
    def without_locals(
        magics: Any, line: str = "", cell: str | None = None, local_ns: Any = None
    ) -> Any:
        __tracebackhide__ = True
        if local_ns is main.user_ns or local_ns is magics.shell.user_ns:
            local_ns = None
        return timeit(magics, line, cell, local_ns)

    return without_locals
