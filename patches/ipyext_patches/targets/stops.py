"""Where user code asks for the debugger by itself: `breakpoint()`, and errors that leave a cell."""

from __future__ import annotations

import bdb
import os
import pdb
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ipyext_patches.frameless import Frameless
from ipyext_patches.frames import leave_out
from ipyext_patches.ledger import Change, Ledger, SetAttribute, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets.tracing import untraced
from ipyext_patches.targets.visible import (
    cut_traceback,
    drop_unbegun,
    is_ours,
    used_by_the_kernel,
    works_for_us,
)

BREAKPOINT = Patch(
    id="stops.breakpoint",
    target="sys.breakpointhook",
    what="breakpoint() stops in the debugger while that is on; else it is a prompt of pdb, or the "
    "stock kernel's where the front end takes no input.",
    why="pdb would fight with the debugger for the trace function of the thread.",
    upstream="PEP 553; debugpy.breakpoint",
)
PROMPTS = Patch(
    id="stops.prompts",
    target="bdb.Bdb.stop_here, bdb.Bdb.get_stack",
    what="Prompts of pdb neither stop in the extension's own code nor show it.",
    why="It is between a cell and IPython: `pdb.set_trace()` at the end of a cell stopped there.",
    upstream="Lib/bdb.py",
    shape=function(),
)
UNCAUGHT = Patch(
    id="stops.uncaught",
    target="IPython.core.interactiveshell.InteractiveShell.showtraceback",
    what="An exception that leaves a cell counts as uncaught for the debugger; an interrupt is "
    "drawn wherever it hit, and that of a shutdown in one line.",
    why="IPython catches it to show it, so 'uncaught' breakpoints never stop; it fails at frames "
    "without a line; and its drawing of a traceback keeps the process from ending.",
    upstream="IPython/core/interactiveshell.py run_code",
    shape=function("exc_tuple", "filename", "tb_offset", "exception_only"),
)
STORED = Patch(
    id="stops.stored-exception",
    target="IPython.core.interactiveshell.InteractiveShell._format_exception_for_storage",
    what="The traceback that IPython keeps is drawn untraced, and not when the kernel shuts down.",
    why="IPython 9 draws each a second time; traced, that takes seconds.",
    upstream="IPython/core/interactiveshell.py run_cell_async",
    shape=function("exception", "filename", "running_compiled_code"),
)


class _Prompt(pdb.Pdb):
    """pdb's, but it does not stop in the standard library while that works for the kernel."""

    def stop_here(self, frame: FrameType) -> bool:
        return not used_by_the_kernel(frame) and bool(super().stop_here(frame))


def changes(ledger: Ledger, hooks: Hooks, main: Any) -> Iterator[Change]:
    """Have both ask the debugger first."""
    former: Any = sys.breakpointhook
    # debugpy's own, which ipykernel 6 and 7 import, does nothing as long as nobody debugs.
    plain = former is sys.__breakpointhook__ or former.__module__.startswith("debugpy")

    def hook() -> Any:
        if not ledger.switch.on or not plain:
            return former
        if os.environ.get("PYTHONBREAKPOINT"):
            return sys.__breakpointhook__
        frame = sys._getframe(2)  # 1 is `Frameless`
        if hooks.debugger.on:
            return lambda *_args, **_kwargs: hooks.debugger.break_here(frame)
        if can_ask():
            return lambda *_args, **_kwargs: _Prompt().set_trace(frame)
        # Nobody could go on from a prompt, so executed notebooks go through or fail as ever.
        return former

    def can_ask() -> bool:
        context = hooks.current()
        return bool(main.kernel._allow_stdin) if context is None else context.can_ask

    def showtraceback(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if isinstance(sys.exc_info()[1], KeyboardInterrupt):
            drop_unbegun(sys.exc_info()[2])
        if kwargs.get("running_compiled_code") and not args:
            kind, value, traceback = sys.exc_info()
            if kind is not None and issubclass(kind, KeyboardInterrupt):
                if hooks.shutting_down():  # nobody waits for what takes half a second to be drawn
                    return instance._showtraceback(kind, value, ["KeyboardInterrupt"])
                if hooks.debugger.on:
                    cut_traceback(traceback)
            hooks.debugger.uncaught(sys.exc_info())
        leave_out(sys.exc_info()[1])
        return drawn(wrapped, args, kwargs)

    def stored(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        error = args[0]
        if isinstance(error, KeyboardInterrupt) and hooks.shutting_down():
            return {"ename": type(error).__name__, "evalue": str(error), "traceback": []}
        leave_out(error)
        return drawn(wrapped, args, kwargs)

    def drawn(draw: Any, args: Any, kwargs: Any) -> Any:
        if not hooks.debugger.on:
            return draw(*args, **kwargs)
        with untraced():  # it is slow enough
            return draw(*args, **kwargs)

    def stop_here(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return not works_for_us(args[0]) and wrapped(*args, **kwargs)

    def get_stack(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        stack, index = wrapped(*args, **kwargs)
        current = stack[index] if stack else None
        shown = [entry for entry in stack if entry is current or not is_ours(entry[0])]
        return shown, shown.index(current) if stack else 0

    yield SetAttribute(BREAKPOINT, sys, "breakpointhook", Frameless(former, hook))
    yield Wrap(PROMPTS, bdb.Bdb, "stop_here", stop_here, ledger.switch)
    yield Wrap(PROMPTS, bdb.Bdb, "get_stack", get_stack, ledger.switch)
    yield Wrap(UNCAUGHT, type(main), "showtraceback", showtraceback, ledger.switch)
    if hasattr(type(main), "_format_exception_for_storage"):
        yield Wrap(STORED, type(main), "_format_exception_for_storage", stored, ledger.switch)
