"""IPython's compiler: the names of cells, and the code of `%%time`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ipyext_patches.cell_files import path_of
from ipyext_patches.ledger import Change, Ledger, SetAttribute, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

NAMES = Patch(
    id="cells.names",
    target="IPython.core.compilerop.CachingCompiler.get_code_name",
    what="While the debugger is on, writes each cell to the file that it is compiled as; on "
    "ipykernel 5, gives cells such names.",
    why="A DAP client opens the file of a frame; JupyterLab finds the cell by that name.",
    upstream="ipykernel/compiler.py XCachingCompiler (6.0 on)",
    shape=function("raw_code"),
)
TIMED = Patch(
    id="cells.timed",
    target="IPython.core.compilerop.CachingCompiler.__call__",
    what="While the debugger is on, the code of %%time and %%timeit cells belongs to its cell.",
    why="Breakpoints in them are never hit: they are compiled as '<timed exec>'.",
    upstream="IPython/core/magics/execution.py time, timeit",
)
_TIMED = ("<timed exec>", "<timed eval>", "<magic-timeit>")


def changes(ledger: Ledger, hooks: Hooks, main: Any, lane: int) -> Iterator[Change]:
    """Name cells after their text, and write them out while the debugger is on."""
    compiler = type(main.compile)

    def get_code_name(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        code = args[0] if args else kwargs["raw_code"]
        if lane == 5 and isinstance(code, str):
            name: Any = path_of(code)
        else:
            name = wrapped(*args, **kwargs)
        if isinstance(code, str):
            hooks.compiling(code)
        return name

    def call(instance: Any, source: Any, filename: Any, *rest: Any, **options: Any) -> Any:
        if ledger.switch.on and filename in _TIMED and isinstance(source, ast.AST):
            cell = hooks.current_cell()
            if cell is not None and hooks.debugging():
                ast.increment_lineno(source, _lines_before_body(cell))
                filename = path_of(cell)
        return super(compiler, instance).__call__(source, filename, *rest, **options)

    own = vars(compiler).get("__call__")
    if own is not None:  # somebody has changed it already

        def call_own(instance: Any, source: Any, filename: Any, *rest: Any, **options: Any) -> Any:
            return own(instance, source, filename, *rest, **options)

        call = call_own
    yield Wrap(NAMES, compiler, "get_code_name", get_code_name, ledger.switch)
    yield SetAttribute(TIMED, compiler, "__call__", call)


def _lines_before_body(cell: str) -> int:
    """How many lines of a cell come before the body of its cell magic."""
    for number, line in enumerate(cell.split("\n")):
        if line.startswith("%%"):
            return number + 1
        if line.strip():
            return 0
    return 0
