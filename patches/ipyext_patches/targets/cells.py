"""IPython's compiler: the names of cells, and of the code in the bodies of cell magics."""

from __future__ import annotations

import ast
import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

from ipyext_patches.cell_files import given_name
from ipyext_patches.cell_names import CellNames
from ipyext_patches.frameless import FramelessMethod
from ipyext_patches.ledger import Change, Ledger, SetAttribute, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets import imports
from ipyext_patches.targets.tracing import untraced

NAMES = Patch(
    id="cells.names",
    target="IPython.core.compilerop.CachingCompiler.get_code_name",
    what="Cells have the names of files, on ipykernel 5 as well, and only those of VS Code's "
    "Interactive Window have its own; while the debugger is on, each is written to its file.",
    why="A DAP client opens the file of a frame; JupyterLab finds the cell by that name. The "
    "Window renames everybody's cells.",
    upstream="ipykernel/compiler.py XCachingCompiler (6.0 on)",
    shape=function("raw_code"),
)
TIMED = Patch(
    id="cells.timed",
    target="IPython.core.compilerop.CachingCompiler.__call__",
    what="While the debugger is on, the body of a cell magic that runs it (%%time, %%timeit, "
    "%%capture) belongs to its cell.",
    why="Breakpoints in them are never hit: they are compiled as '<timed exec>', or as a cell that "
    "nobody sees.",
    upstream="IPython/core/magics/execution.py time, timeit, capture",
)
PROFILED = Patch(
    id="cells.profiled",
    target="IPython.core.magics.execution.ExecutionMagics._run_with_profiler",
    what="While the debugger is on, the body of %%prun belongs to its cell.",
    why="Breakpoints in it are never hit: it is compiled as '<string>'.",
    upstream="IPython/core/magics/execution.py prun",
    shape=function("code", "opts", "namespace"),
)
WATCH = Patch(
    id="cells.profiled-watch",
    target="sys.meta_path",
    what="Notices when the module of %%prun is imported, and patches it then.",
    why="IPython 9.16 on imports it when it is first used.",
    upstream="IPython/core/magic.py",
)
_TIMED = ("<timed exec>", "<timed eval>", "<magic-timeit>")


def changes(
    ledger: Ledger, hooks: Hooks, main: Any, lane: int, names: CellNames
) -> Iterator[Change]:
    """Name cells after their text, and write them out while the debugger is on."""
    compiler = type(main.compile)

    def get_code_name(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        code, number = _naming(*args, **kwargs)
        name: Any = wrapped(*args, **kwargs)
        if isinstance(code, str):
            ours = names.compiled(code, number)
            if lane == 5 or name == given_name():
                name = ours
            hooks.debugger.compiling(code)
        return name

    def in_cell(instance: Any, source: Any, filename: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(source, ast.AST):
            cell = hooks.current_cell() or ""
            bodies = _bodies(cell)
            if bodies:
                with untraced():  # somebody may step from one statement to the next
                    before = _before(names, bodies, filename)
                    if before:
                        ast.increment_lineno(source, before)
                        filename = names.of(cell)
        return plain.__get__(instance)(source, filename, *rest, **options)

    plain: Any = inspect.getattr_static(compiler, "__call__")
    call = FramelessMethod(
        compiler, "__call__", lambda _: in_cell if ledger.switch.on and hooks.debugger.on else None
    )
    yield Wrap(NAMES, compiler, "get_code_name", get_code_name, ledger.switch)
    yield SetAttribute(TIMED, compiler, "__call__", call)

    def execution(module: Any) -> list[Change]:
        return [_profiled(ledger, hooks, names, module.ExecutionMagics)]

    yield from imports.changes(WATCH, ledger, {"IPython.core.magics.execution": execution})


def _profiled(ledger: Ledger, hooks: Hooks, names: CellNames, magics: Any) -> Change:
    plain: Any = inspect.getattr_static(magics, "_run_with_profiler")

    def run(instance: Any, code: Any, *others: Any, **options: Any) -> Any:
        cell = hooks.current_cell() or ""
        bodies = _bodies(cell)
        if bodies and isinstance(code, str):
            before, body = bodies[-1]
            with contextlib.suppress(SyntaxError, ValueError):  # which running it will say
                tree = ast.parse(code)
                # It begins with the arguments of the magic, or their line was left out as empty.
                ast.increment_lineno(tree, before + _lines(body) - _lines(code))
                code = compile(tree, names.of(cell), "exec")
        return plain.__get__(instance)(code, *others, **options)

    method = FramelessMethod(
        magics,
        "_run_with_profiler",
        lambda _: run if ledger.switch.on and hooks.debugger.on else None,
    )
    return SetAttribute(PROFILED, magics, "_run_with_profiler", method)


def _naming(raw_code: Any, transformed_code: Any = "", number: Any = 0) -> tuple[Any, Any]:
    """What `get_code_name` is called with: the text, and the execution count."""
    return raw_code, number


def _bodies(cell: str) -> list[tuple[int, str]]:
    """The bodies of the cell magics of a cell, the outermost first, each with the lines before."""
    lines = cell.split("\n")
    found = []
    for number, line in enumerate(lines, 1):
        if line.startswith("%%"):
            found.append((number, "\n".join(lines[number:])))
        elif line.strip():
            break
    return found


def _before(names: CellNames, bodies: list[tuple[int, str]], filename: str) -> int:
    """The lines of the cell before the body that is compiled under that name; 0 if none is."""
    if filename in _TIMED:
        return bodies[-1][0]
    for before, body in bodies:
        if filename in (names.of(body), names.of(body + "\n")):  # IPython ends it with one
            return before
    return 0


def _lines(code: str) -> int:
    return len(code.rstrip("\n").split("\n"))
