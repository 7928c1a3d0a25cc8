"""debugpy's functions, called by people's code: they mean our debugger, not a second one.

Our own calls go to `debugpy.server.api`, which stays as it is.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch
from ipyext_patches.targets import imports

FUNCTIONS = Patch(
    id="debugpy.functions",
    target="debugpy.listen, wait_for_client, is_client_connected, breakpoint, connect, "
    "debug_this_thread, trace_this_thread",
    what="Calls of them work on the debugger of the kernel, and on its port.",
    why="A second debugger cannot trace the process, and debugpy's own port is open to anybody.",
    upstream="debugpy/public_api.py; VS Code calls them in hidden cells",
)
WATCH = Patch(
    id="debugpy.watch",
    target="sys.meta_path",
    what="The same as soon as debugpy is imported.",
    why="Importing it ourselves would cost a second that most kernels never need.",
    upstream="Python import system",
)


def changes(ledger: Ledger, hooks: Hooks) -> Iterator[Change]:
    """Replace them in debugpy, now or when it is imported."""

    def replace(module: Any) -> list[Change]:
        return [
            SetAttribute(FUNCTIONS, module, name, _switched(ledger, getattr(module, name), ours))
            for name, ours in _functions(hooks).items()
            if hasattr(module, name)
        ]

    yield from imports.changes(WATCH, ledger, {"debugpy": replace})


def _switched(ledger: Ledger, original: Any, ours: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        return (ours if ledger.switch.on else original)(*args, **kwargs)

    vars(function).update(vars(ours))
    return function


def _functions(hooks: Hooks) -> dict[str, Callable[..., Any]]:
    def listen(address: Any, **options: Any) -> tuple[str, int]:
        host, port = ("127.0.0.1", address) if isinstance(address, int) else address
        return hooks.debugger.listen(str(host), int(port))

    def wait_for_client() -> None:
        hooks.debugger.wait_for_client()

    def cancel() -> None:
        hooks.debugger.cancel_wait()

    wait_for_client.cancel = cancel  # type: ignore[attr-defined]

    def is_client_connected() -> bool:
        return hooks.debugger.client_connected()

    def debug_this_thread() -> None:
        hooks.debugger.trace_this_thread()

    def trace_this_thread(should_trace: bool) -> None:
        # VS Code has it off between its cells. Others may be debugging this thread.
        if should_trace:
            hooks.debugger.trace_this_thread()

    def break_here() -> None:
        if hooks.debugger.on:
            hooks.debugger.break_here(sys._getframe(2))  # 1 is `_switched`

    def connect(address: Any, **options: Any) -> Any:
        raise RuntimeError(
            "debugpy.connect cannot be used in this kernel: ipyext debugs it already. Have your "
            "editor attach instead: %debugctl listen, or debugpy.listen()."
        )

    return {
        "listen": listen,
        "wait_for_client": wait_for_client,
        "is_client_connected": is_client_connected,
        "debug_this_thread": debug_this_thread,
        "trace_this_thread": trace_this_thread,
        "breakpoint": break_here,
        "connect": connect,
    }
