"""ipykernel 7: control thread, shell channel thread and a subshell manager of its own."""

from __future__ import annotations

import threading
from typing import Any

import zmq

from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.ports import Frames, Hooks, LoopPort
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets.channels import BorrowedCallback, Channels, SharedStream

DISPATCH = Patch(
    id="channels.dispatch",
    target="ipykernel.kernelbase.Kernel.dispatch_shell",
    what="Main takes its next request from our queue when ipykernel's own pipe wakes it.",
    why="So that order, context variables, locks and GUI event loops of main stay ipykernel's.",
    upstream="ipykernel/kernelbase.py shell_main",
    lanes=(7,),
    shape=function("msg"),
)
LIST = Patch(
    id="subshells.list",
    target="ipykernel.subshell_manager.SubshellManager.list_subshell",
    what="Lists our child subshells beside stock ones.",
    why="Others ask the stock manager.",
    upstream="ipykernel/subshell_manager.py",
    lanes=(7,),
    shape=function(),
)

# ipykernel's own no-op: what it sends itself through the same pipe to wake main. Left over after
# an unload, the stock kernel reads it as such.
WAKE = b"stop aborting"


class Ipykernel7Channels(Channels):
    needs_main = False

    def __init__(self, kernel: Any, hooks: Hooks, shell: LoopPort, control: LoopPort) -> None:
        super().__init__(kernel, hooks, shell, control)
        self.shell = SharedStream(kernel.shell_stream, shell)

    @property
    def manager(self) -> Any:
        return self.kernel.shell_channel_thread.manager

    def _main_pipe(self) -> Any:
        return self.manager.get_shell_channel_to_subshell_socket(None)

    def _take_shell(self) -> None:
        self._incoming = BorrowedCallback(self.kernel.shell_stream, self.shell_message)
        # 7.0 to 7.2 send what main replies raw on the ROUTER, which strands requests.
        pipes = [self.manager._main_to_shell_channel.to_stream]
        self._outgoing = [BorrowedCallback(pipe, self._forward) for pipe in pipes]
        self.shell_loop.ask(self._install)
        # Main reads its pipe, so this is for while it waits for us; of a load from elsewhere main
        # begins what there is by itself.
        if threading.current_thread() is threading.main_thread():
            self.shell_loop.ask(self._hold_pipe)
            self._inner()._rebuild_io_state()

    def _inner(self) -> Any:
        """Main's end of the pipe to it."""
        return self.manager._shell_channel_to_main.to_stream

    def _install(self) -> None:
        for callback in (self._incoming, *self._outgoing):
            callback.install()

    def _hold_pipe(self) -> None:
        """What is in main's pipe came first. Nothing is put there any more but wake-ups.

        The last was put there after `_install`, if at all: the stock callback is a coroutine.
        """
        woken, later = False, self._held or []
        self._held = []
        while self._inner().socket.EVENTS & zmq.POLLIN:
            frames = self._inner().socket.recv_multipart(zmq.NOBLOCK, copy=False)
            if len(frames) == 1:
                woken = True
            else:
                self.hold(frames)
        self._held += later
        if woken:
            self._main_pipe().send(WAKE)

    def _forward(self, frames: Any) -> None:
        self.shell.stream.send_multipart(frames, copy=False)

    def _give_back_shell(self) -> None:
        self.shell_loop.ask(self._restore)

    def _restore(self) -> None:
        for callback in (*self._outgoing, self._incoming):
            callback.restore()
        pipe = self._main_pipe()
        for frames in self.not_begun():
            pipe.send_multipart(frames, copy=False)

    def wake_main(self) -> None:
        self._main_pipe().send(WAKE)

    def stock_subshell(self, subshell_id: str) -> bool:
        """Whether the stock kernel made such a subshell before we were loaded. Any thread."""
        return subshell_id in self.manager._cache

    def forward_to_stock(self, subshell_id: str, frames: Frames) -> None:
        """Hand a message to a stock subshell. Shell channel thread."""
        self.manager.get_shell_channel_to_subshell_socket(subshell_id).send_multipart(
            self.reader.forget(frames), copy=False
        )

    def delete_stock(self, subshell_id: str) -> None:
        """Stop a stock subshell without waiting for its running cell. Any thread."""
        with self.manager._lock_cache:
            thread = self.manager._cache.pop(subshell_id, None)
        if thread is not None and thread.is_alive():
            thread.stop()


def changes(ledger: Ledger, hooks: Hooks, kernel: Any) -> list[Change]:
    original = kernel.dispatch_shell
    manager = kernel.shell_channel_thread.manager
    stock_list = manager.list_subshell

    async def dispatch_shell(msg: Any, /, subshell_id: str | None = None, **kwargs: Any) -> None:
        if subshell_id is None and len(msg) == 1 and msg[0].bytes == WAKE:
            await original(msg, subshell_id=None)
            await hooks.main_turn()
        else:
            await original(msg, subshell_id=subshell_id, **kwargs)

    def list_subshell() -> list[str]:
        return [*stock_list(), *hooks.list_children()]

    return [
        SetAttribute(DISPATCH, kernel, "dispatch_shell", dispatch_shell),
        SetAttribute(LIST, manager, "list_subshell", list_subshell),
    ]
