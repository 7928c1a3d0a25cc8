"""ipykernel 5.5: shell and control are read on main, one PriorityQueue feeds both."""

from __future__ import annotations

import asyncio
from typing import Any

from ipykernel import kernelbase

from ipyext_patches.ports import Frames, Hooks, LoopPort
from ipyext_patches.targets.channels import (
    MovedShellChannels,
    MovedSocket,
    SharedStream,
    sent_on_main,
)


class Ipykernel5Channels(MovedShellChannels):
    def __init__(self, kernel: Any, hooks: Hooks, shell: LoopPort, control: LoopPort) -> None:
        super().__init__(kernel, hooks, shell, control)
        self._priority = kernelbase.SHELL_PRIORITY  # type: ignore[attr-defined]
        self.stream = next(s for s in kernel.shell_streams if s is not kernel.control_stream)

    def schedule_turn(self) -> None:
        self.kernel.schedule_dispatch(self._priority, self._turn)

    def _turn(self) -> asyncio.Future[None]:
        return asyncio.ensure_future(self.hooks.main_turn())

    def dispatch_stock(self, frames: Frames) -> None:
        kernel = self.kernel
        kernel.schedule_dispatch(self._priority, kernel.dispatch_shell, self.stream, frames)

    def _take_control(self) -> None:
        stream = self.kernel.control_stream
        self._control_moved = MovedSocket(stream, self.control_loop, self.hooks.control_message)
        self._control_moved.move(self._set_control)

    def _set_control(self, stream: SharedStream) -> None:
        self.control = stream

    def _give_back_control(self) -> None:
        self.control.successor = on_main = sent_on_main(self.kernel.control_stream)
        self._control_moved.restore()
        self.control = on_main
