"""What is every shell doing? The Python stacks of their threads, now, without a debugger.

Looking stops nobody, so a stack may be a moment older at one end than at the other. Whether a
thread is in native code cannot be seen from outside: its innermost frame looks the same as that
of a loop. It is said only where an interrupt has shown it, by not arriving.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from ipyext.shells import view
from ipyext.shells.child import ChildShell
from ipyext_patches import no_collection

if TYPE_CHECKING:
    from ipyext.shells.engine import Engine
    from ipyext.shells.shell import Shell

# Top-level packages whose frames say nothing about anybody's code: the kernel, its loops, the
# start of a thread, the debugger. The debugger's own packages are found by their beginning.
INTERNAL = frozenset(
    {
        "IPython",
        "asyncio",
        "comm",
        "debugpy",
        "decorator",
        "ipykernel",
        "ipykernel_launcher",
        "ipyext",
        "ipyext_patches",
        "jupyter_client",
        "nest_asyncio",
        "runpy",
        "selectors",
        "threading",
        "tornado",
        "traitlets",
        "zmq",
    }
)
# Not what may have started the kernel: runpy, a debugger.
_KERNEL = INTERNAL - sys.stdlib_module_names - {"debugpy"}
_DEBUGGER = ("pydev", "_pydev")
_GENERATED = ("<decorator-gen", "<frozen importlib")

# Seconds. A thread that runs Python code but has to wait for its turn is not that late.
NATIVE_AFTER = 0.5


@dataclass(frozen=True)
class Frame:
    """One line of somebody's code.

    Attributes:
        file: where it is; for a cell, what IPython calls it.
        line: the line that runs.
        function: the function that it is in, qualified where Python knows (from 3.11 on).
        source: that line, stripped; empty if it is not known.
        cell: ``In[3]`` for a cell, where IPython can say (from 8 on).
    """

    file: str
    line: int
    function: str
    source: str
    cell: str | None = None

    def as_text(self) -> str:
        """Two lines as in a traceback of IPython."""
        where = f"Cell {self.cell}" if self.cell else f"File {self.file}"
        text = f"{where}, line {self.line}, in {self.function}"
        return f"{text}\n    {self.source}" if self.source else text


@dataclass(frozen=True)
class ShellStack:
    """What one shell does.

    Attributes:
        label: the shell's name or id; ``main``.
        state: as in `view.Subshell`: idle, busy, sleeping, waiting for something, a zombie.
        seconds: for how long.
        thread: the name of its thread.
        frames: people's code on its stack, innermost first; internal frames are left out.
        native: for how many seconds it has not taken an interrupt, because it is in native code;
            None if that is not known to be so.
    """

    label: str
    state: str
    seconds: float
    thread: str
    frames: tuple[Frame, ...]
    native: float | None = None

    def as_text(self) -> str:
        """A line about the shell, and its frames below."""
        lines = [f"{self.label}: {self.state} for {self.seconds:.1f} s ({self.thread})"]
        if self.native is not None:
            lines.append(f"  in native code: an interrupt has been waiting for {self.native:.1f} s")
        lines += ["  " + line for frame in self.frames for line in frame.as_text().splitlines()]
        if not self.frames and self.state != "idle":
            lines.append("  None of its code is on the stack: it awaits something, or has ended.")
        return "\n".join(lines)


@dataclass(frozen=True)
class Stacks:
    """What every shell does: the parent first, then children by age, then zombies."""

    shells: tuple[ShellStack, ...]

    def as_text(self) -> str:
        """All of it, innermost frames first."""
        return "\n\n".join(shell.as_text() for shell in self.shells)

    def of(self, label: str) -> ShellStack:
        """The one of that shell.

        Raises:
            KeyError: there is none.
        """
        for shell in self.shells:
            if shell.label == label:
                return shell
        raise KeyError(label)


def collect(engine: Engine) -> Stacks:
    """Look at every shell. Any thread; waits for none of them.

    The thread of the comms is listed while it runs a callback.
    """
    shells: list[tuple[Shell, bool]] = [(engine.parent, False)]
    shells += [(child, False) for child in engine.registry.all()]
    comms = engine.helpers.get("comms")
    if comms is not None and comms.busy:
        shells.append((comms, False))
    shells += [(child, True) for child in engine.registry.zombies()]
    raw = _raw_stacks([_thread(shell).ident for shell, _ in shells])
    name_of = _cell_names(engine.host.main)
    return Stacks(
        tuple(
            _stack(engine, shell, zombie, frames, name_of)
            for (shell, zombie), frames in zip(shells, raw, strict=True)
        )
    )


def _thread(shell: Shell) -> threading.Thread:
    return shell.thread if isinstance(shell, ChildShell) else threading.main_thread()


def _stack(
    engine: Engine,
    shell: Shell,
    zombie: bool,
    raw: list[_Raw],
    name_of: Callable[[str], str | None],
) -> ShellStack:
    seen = view.describe(engine, shell, zombie)
    blocked = shell.gate.blocked if isinstance(shell, ChildShell) else None
    return ShellStack(
        label=seen.label,
        state=seen.state,
        seconds=seen.seconds,
        thread=seen.thread,
        frames=tuple(_frame(found, name_of) for found in of_people(raw)),
        native=blocked if blocked is not None and blocked >= NATIVE_AFTER else None,
    )


# -- frames ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Raw:
    """What is kept of a frame: not the frame, whose local variables would live on with it."""

    code: CodeType
    line: int
    module: str

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    @property
    def internal(self) -> bool:
        return (
            self.package in INTERNAL
            or self.package.startswith(_DEBUGGER)
            or self.code.co_filename.startswith(_GENERATED)
        )


def _raw_stacks(idents: Iterable[int | None]) -> list[list[_Raw]]:
    """The stacks of those threads, innermost first; empty for one that does not run."""
    with no_collection():
        current: dict[int, FrameType] = sys._current_frames()  # noqa: SLF001  # no other way
        try:
            return [_walk(None if ident is None else current.get(ident)) for ident in idents]
        finally:
            current.clear()


def _walk(frame: FrameType | None) -> list[_Raw]:
    found = []
    while frame is not None:
        # A frame that is just being entered or left has no line.
        line = frame.f_lineno or frame.f_code.co_firstlineno
        found.append(_Raw(frame.f_code, line, str(frame.f_globals.get("__name__") or "")))
        frame = frame.f_back
    return found


def of_people(raw: list[Any]) -> list[Any]:
    """Those frames that are people's code, innermost first.

    Their code begins inside of the kernel's: what is outside has started the process. It does not
    begin in the standard library, which the kernel uses too, but may go there.
    """
    kept: list[_Raw] = []
    in_kernel = False
    for frame in reversed(raw):
        if frame.internal:
            in_kernel = in_kernel or frame.package in _KERNEL
        elif in_kernel and (kept or frame.package not in sys.stdlib_module_names):
            kept.append(frame)
    return kept[::-1]


def _frame(raw: _Raw, name_of: Callable[[str], str | None]) -> Frame:
    file = raw.code.co_filename
    source = ""
    with contextlib.suppress(Exception):  # others change that cache meanwhile
        source = linecache.getline(file, raw.line).strip()
    function = getattr(raw.code, "co_qualname", raw.code.co_name)
    return Frame(file, raw.line, function, source, name_of(file))


def _cell_names(main: Any) -> Callable[[str], str | None]:
    """What people call the cell of a file name, such as ``In[3]``; None if it is not a cell."""
    known = getattr(main.compile, "format_code_name", None)  # from IPython 8 on

    def name_of(file: str) -> str | None:
        named = None if known is None else known(file)
        return named[1] if named and named[0] == "Cell" else None

    return name_of
