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


def changes(ledger: Ledger, hooks: Hooks) -> list[Change]:
    def enter(wrapped: Any, manager: Any, args: Any, kwargs: Any) -> Any:
        if not (isinstance(sys.stdout, OutStream) and isinstance(sys.stderr, OutStream)):
            return wrapped(*args, **kwargs)  # redirected already, for the whole process
        capture = Capture()
        for name in ("stdout", "stderr"):
            if getattr(manager, name):
                capture.streams[name] = StringIO()
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
        manager.ipyext_capture = (capture, hooks.captures())
        hooks.captures().append(capture)
        return CapturedIO(capture.streams.get("stdout"), capture.streams.get("stderr"), outputs)

    def leave(wrapped: Any, manager: Any, args: Any, kwargs: Any) -> Any:
        found = manager.__dict__.pop("ipyext_capture", None)
        if found is None:
            return wrapped(*args, **kwargs)
        capture, captures = found
        if capture in captures:
            captures.remove(capture)
        if manager.display and manager.shell:
            manager.shell.display_pub = manager.save_display_pub
        return None

    return [
        Wrap(ENTER, capture_output, "__enter__", enter, ledger.switch),
        Wrap(EXIT, capture_output, "__exit__", leave, ledger.switch),
    ]
