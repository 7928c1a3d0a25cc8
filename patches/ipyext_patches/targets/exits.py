"""`exit` and `quit` mean the shell in which they are called."""

from __future__ import annotations

from typing import Any

from ipyext_patches.ledger import Change, Ledger, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

EXIT = Patch(
    id="exit.own-shell",
    target="ipykernel.zmqshell.ZMQInteractiveShell.ask_exit",
    what="exit and quit in a subshell delete that subshell; the kernel goes on.",
    why="They stop main's event loop from another thread: the kernel ends with whatever main "
    "begins next, which has no reply.",
    upstream="ipykernel/zmqshell.py ask_exit, _update_exit_now",
    shape=function(),
)


def change(ledger: Ledger, hooks: Hooks, main: Any) -> Change:
    """See `EXIT`."""

    def ask_exit(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        context = hooks.current()
        shell = None if context is None else context.interactive
        if shell is not None:
            hooks.end_child()
            # A console that is connected to it closes, and does not ask about the kernel.
            shell.payload_manager.write_payload({"source": "ask_exit", "keepkernel": True})
            return None
        if instance is main:
            return wrapped(*args, **kwargs)
        # The exit object knows the shell that used it last.
        main.keepkernel_on_exit = instance.keepkernel_on_exit
        return main.ask_exit(*args, **kwargs)

    return Wrap(EXIT, type(main), "ask_exit", ask_exit, ledger.switch)
