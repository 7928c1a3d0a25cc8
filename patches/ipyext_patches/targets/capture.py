"""IPython's captures, per shell: what one shell captures, the others go on printing."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ipykernel.iostream import OutStream
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.getipython import get_ipython
from IPython.utils.capture import CapturedIO, capture_output

from ipyext_patches.ledger import Change, Ledger, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

ENTER = Patch(
    id="capture.enter",
    target="IPython.utils.capture.capture_output.__enter__",
    what="Captures the calling shell's output; %%capture uses it.",
    why="The stock way swaps sys.stdout and sys.displayhook for the whole process.",
    upstream="IPython/utils/capture.py",
    shape=function(),
)
EXIT = Patch(
    id="capture.exit",
    target="IPython.utils.capture.capture_output.__exit__",
    what="Ends a capture of the calling shell.",
    why="See capture.enter.",
    upstream="IPython/utils/capture.py",
    shape=function("exc_type"),
)


@dataclass
class Capture:
    """One capture in force. The engine keeps them per shell, innermost last."""

    streams: dict[str, StringIO] = field(default_factory=dict)
    displayhook: Any = None


class _Redirected:
    """Stands where `sys.stdout` was redirected to, for as long as a shell captures there.

    A redirection is the process's. It stays what it is for everybody but the shell that captures.
    """

    def __init__(self, target: Any, name: str, hooks: Hooks) -> None:
        self.target, self.name, self._hooks = target, name, hooks

    def write(self, text: str) -> int:
        captures = self._hooks.captures()
        inner = captures[-1].streams.get(self.name) if captures else None
        written: int = (inner or self.target).write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


def changes(ledger: Ledger, hooks: Hooks) -> list[Change]:
    def enter(wrapped: Any, manager: Any, args: Any, kwargs: Any) -> Any:
        captures = hooks.captures()
        # What it does not take itself still goes to the capture that it is nested in.
        capture = Capture(**vars(captures[-1])) if captures else Capture()
        taken = {name: StringIO() for name in ("stdout", "stderr") if getattr(manager, name)}
        capture.streams = {**capture.streams, **taken}
        outputs = None
        shell = get_ipython() if manager.display else None
        manager.display = shell is not None
        if shell is not None:
            manager.shell = shell
            manager.save_display_pub = shell.display_pub
            shell.display_pub = publisher = CapturingDisplayPublisher()
            outputs = publisher.outputs
            capture.displayhook = CapturingDisplayHook(shell=shell, outputs=outputs)
        # What the stock __exit__ puts back, should we be unloaded before.
        manager.sys_stdout, manager.sys_stderr = sys.stdout, sys.stderr
        manager.save_display_hook = sys.displayhook
        stands_in = {}
        for name in taken:
            target = getattr(sys, name)
            if not isinstance(target, OutStream):  # which would ask for captures by itself
                stands_in[name] = _Redirected(target, name, hooks)
                setattr(sys, name, stands_in[name])
        manager.ipyext_capture = (capture, captures, stands_in)
        captures.append(capture)
        return CapturedIO(taken.get("stdout"), taken.get("stderr"), outputs)

    def leave(wrapped: Any, manager: Any, args: Any, kwargs: Any) -> Any:
        found = manager.__dict__.pop("ipyext_capture", None)
        if found is None:
            return wrapped(*args, **kwargs)
        capture, captures, stands_in = found
        for name, stream in stands_in.items():
            if getattr(sys, name) is stream:  # otherwise the redirection has ended by now
                setattr(sys, name, stream.target)
        if capture in captures:
            captures.remove(capture)
        if manager.display and manager.shell:
            manager.shell.display_pub = manager.save_display_pub
        return None

    return [
        Wrap(ENTER, capture_output, "__enter__", enter, ledger.switch),
        Wrap(EXIT, capture_output, "__exit__", leave, ledger.switch),
    ]
