"""IPython: process-wide names that must mean the calling shell, not the last one."""

from __future__ import annotations

import ast
import builtins
import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from ipyext_patches.frameless import Frameless, FramelessMethod
from ipyext_patches.ledger import Action, Change, Ledger, SetAttribute, SetItem, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import ITEM, Patch, function
from ipyext_patches.targets import display_hook, own_sys

MAGICS = Patch(
    id="magics.tables",
    target="IPython.core.magic.MagicsManager.magics",
    what="Registers %subshell, %%subshell and %debugctl; ipykernel 7's own %subshell comes back "
    "on unload.",
    why="IPython has no call to unregister a magic.",
    upstream="IPython/core/magic.py",
    shape=ITEM,
)
INSTANCE = Patch(
    id="ipython.instance",
    target="IPython.core.interactiveshell.InteractiveShell.instance",
    what="In a child subshell, get_ipython() and display() reach the child's own shell.",
    why="There is one singleton for the process, and everything asks it.",
    upstream="traitlets SingletonConfigurable; IPython/core/getipython.py",
    shape=function(),
)
GET_IPYTHON = Patch(
    id="ipython.get-ipython",
    target="get_ipython in the user namespace and in builtins",
    what="Returns the shell of the calling code.",
    why="Transformed magics call it by that name; in a child it must not mean main's shell.",
    upstream="IPython/core/interactiveshell.py init_user_ns",
)
TRAPS = Patch(
    id="ipython.traps",
    target="IPython.core.builtin_trap.BuiltinTrap (main's)",
    what="Stays in place between cells.",
    why="It swaps builtins around every cell; two shells undo each other.",
    upstream="IPython/core/builtin_trap.py",
)
TEE = Patch(
    id="ipython.tee",
    target="IPython.core.interactiveshell.InteractiveShell._tee (IPython 9)",
    what="Records what main prints without replacing sys.stdout.write around every cell.",
    why=(
        "Replacements made by cells that overlap pile up until printing fails, and record one "
        "shell's output in the other's history."
    ),
    upstream="IPython/core/interactiveshell.py _tee",
    shape=function("channel"),
)

PARSE = Patch(
    id="ast.parse",
    target="ast.parse",
    what="One thread at a time turns source into a syntax tree.",
    why=(
        "CPython keeps the recursion depth of that per interpreter, not per thread: two threads "
        "get SystemError 'AST constructor recursion depth mismatch', in cells and in tracebacks."
    ),
    upstream="CPython Python/Python-ast.c; python/cpython#106905",
    shape=function("source"),
)
LAZY = Patch(
    id="magics.lazy",
    target="IPython.core.magic.MagicsManager.find (IPython 9.16 on)",
    what="One thread at a time looks a magic up.",
    why="The first use of a magic loads its module; a second shell meanwhile gets a UsageError.",
    upstream="IPython/core/magic.py",
)
CELL_PARSE = Patch(
    id="ast.cell-parse",
    target="IPython.core.compilerop.CachingCompiler.ast_parse",
    what="The same for cells.",
    why="See ast.parse.",
    upstream="IPython/core/compilerop.py",
    shape=function("source"),
)
PAYLOAD = Patch(
    id="ipython.payload",
    target="IPython.core.payload.PayloadManager.write_payload (main's)",
    what="Payloads written in a child subshell go to the child's reply.",
    why="Hooks, such as the pager's, hold main's payload manager.",
    upstream="ipykernel/zmqshell.py payloadpage_page",
    shape=function("data"),
)
CANCEL = Patch(
    id="interrupt.await",
    target="ipykernel.ipkernel.IPythonKernel._cancel_on_sigint",
    what="An interrupt reaches main's `await` at once, as KeyboardInterrupt.",
    why="The stock handler does not wake main's event loop: it waits for the next message.",
    upstream="ipykernel/ipkernel.py",
    shape=function("future"),
)
RUN = Patch(
    id="interrupt.run-cell",
    target="IPython.core.interactiveshell.InteractiveShell.run_cell_async (main's)",
    what="Interrupts of main reach the cell's code and nothing else of the kernel.",
    why="KeyboardInterrupt in the kernel's own code loses replies.",
    upstream="IPython/core/interactiveshell.py",
    shape=function("raw_cell"),
)


EVENTS = Patch(
    id="interrupt.events",
    target="IPython.core.events.EventManager.trigger (main's)",
    what="An interrupt that comes during IPython's own callbacks before and after a cell waits.",
    why="Callbacks' exceptions are shown and forgotten: the cell would go on, uninterrupted.",
    upstream="IPython/core/events.py trigger",
    shape=function("event"),
)


def parse_changes(ledger: Ledger, hooks: Hooks, main: Any) -> list[Change]:
    """Syntax trees, and magics that load on first use: one thread at a time."""
    lock = threading.RLock()
    manager = main.magics_manager
    found: list[Change] = []
    if hasattr(manager, "find"):
        lookup = manager.find
        loading = threading.RLock()

        def find(*args: Any, **kwargs: Any) -> Any:
            with loading:
                return lookup(*args, **kwargs)

        found.append(SetAttribute(LAZY, manager, "find", find))

    def locked(function: Any) -> Any:
        @functools.wraps(function)
        def parse(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return function(*args, **kwargs)

        return parse

    def several() -> bool:
        """Errors of a kernel without subshells show no frame of ours."""
        return ledger.switch.on and bool(hooks.list_children())

    plain = ast.parse
    parse, cell_parse = locked(plain), locked(CachingCompiler.ast_parse)
    method = FramelessMethod(
        CachingCompiler, "ast_parse", lambda _: cell_parse if several() else None
    )
    return [
        *found,
        SetAttribute(PARSE, ast, "parse", Frameless(plain, lambda: parse if several() else plain)),
        SetAttribute(CELL_PARSE, CachingCompiler, "ast_parse", method),
    ]


def interrupt_changes(hooks: Hooks, kernel: Any, main: Any) -> list[Change]:
    """Interrupts of main: into user code only, and into an `await` at once."""
    original = main.run_cell_async

    @functools.wraps(original)
    async def run_cell_async(*args: Any, **kwargs: Any) -> Any:
        count = main.execution_count
        try:
            return await hooks.drive_main(original(*args, **kwargs))
        except KeyboardInterrupt as error:
            # IPython was about to begin the cell, or had just ended it. Out of a task, which runs
            # a cell that awaits, it would end main's event loop, and with it the process.
            result = ExecutionResult(None)
            result.error_before_exec = error
            if kwargs.get("store_history"):
                main.execution_count = count + 1
            main.showtraceback()
            return result

    trigger_original = main.events.trigger

    @functools.wraps(trigger_original)
    def trigger(event: str, *args: Any, **kwargs: Any) -> Any:
        callbacks = list(main.events.callbacks.get(event, ()))
        if not all(_is_ipythons(callback) for callback in callbacks):
            return trigger_original(event, *args, **kwargs)  # a person's may take for ever
        with hooks.uninterrupted():
            return trigger_original(event, *args, **kwargs)

    @contextmanager
    def cancel_on_sigint(future: Any) -> Iterator[None]:
        with hooks.suspended_main(future):
            yield

    return [
        SetAttribute(CANCEL, kernel, "_cancel_on_sigint", cancel_on_sigint),
        SetAttribute(RUN, main, "run_cell_async", run_cell_async),
        SetAttribute(EVENTS, main.events, "trigger", trigger),
    ]


def _is_ipythons(callback: Any) -> bool:
    module = str(getattr(callback, "__module__", ""))
    return module.split(".")[0] in ("IPython", "ipykernel")


def changes(ledger: Ledger, hooks: Hooks, main: Any, when_started: Any) -> list[Change]:
    def shell_here() -> Any:
        context = hooks.current() if ledger.switch.on else None
        interactive = None if context is None else context.interactive
        return main if interactive is None else interactive

    def get_ipython() -> Any:
        """Return the InteractiveShell of the calling subshell."""
        return shell_here()

    def instance(wrapped: Any, cls: Any, args: Any, kwargs: Any) -> Any:
        found = wrapped(*args, **kwargs)
        return shell_here() if found is main else found

    payloads = main.payload_manager
    write_payload = payloads.write_payload

    def write(data: Any, *args: Any, **kwargs: Any) -> Any:
        shell = shell_here()
        target = write_payload if shell is main else shell.payload_manager.write_payload
        return target(data, *args, **kwargs)

    found: list[Change] = [
        SetAttribute(PAYLOAD, payloads, "write_payload", write),
        *display_hook.changes(hooks, main, shell_here),
        Action(TRAPS, lambda: _hold(main.builtin_trap), lambda: _let_go(main.builtin_trap)),
        SetItem(GET_IPYTHON, vars(builtins), "get_ipython", get_ipython),
        SetItem(GET_IPYTHON, main.user_ns, "get_ipython", get_ipython),
        SetItem(GET_IPYTHON, main.user_ns_hidden, "get_ipython", get_ipython),
        Wrap(INSTANCE, InteractiveShell, "instance", instance, ledger.switch),
        *own_sys.changes(ledger, own_sys.Stores(hooks)),
    ]
    if hasattr(main, "_tee"):
        from ipyext_patches.targets.tee import Tee

        tee = Tee(main, hooks)
        found.append(SetAttribute(TEE, main, "_tee", tee))
        found.append(Action(TEE, lambda: tee.open(when_started), tee.close))
    return found


def _hold(trap: Any) -> None:
    """Keep main's builtins in place: one level more than its cells make it."""
    if not trap._nested_level:
        trap.activate()
    trap._nested_level += 1


def _let_go(trap: Any) -> None:
    trap._nested_level -= 1
    if not trap._nested_level:
        trap.deactivate()


def magics_changes(main: Any, magics: Any) -> list[Change]:
    """Register a `Magics` object without leaving a trace: IPython has no call to unregister."""
    manager = main.magics_manager
    found: list[Change] = []
    for kind in ("line", "cell"):
        for name, method in magics.magics[kind].items():
            bound = getattr(magics, method) if isinstance(method, str) else method
            found.append(SetItem(MAGICS, manager.magics[kind], name, bound))
    return found
