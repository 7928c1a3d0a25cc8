"""ipykernel 6: a control thread of its own, shell read on main."""

from __future__ import annotations

from typing import Any

from ipyext_patches.ports import Frames, Hooks, LoopPort
from ipyext_patches.targets.channels import MovedShellChannels


class Ipykernel6Channels(MovedShellChannels):
    def __init__(self, kernel: Any, hooks: Hooks, shell: LoopPort, control: LoopPort) -> None:
        super().__init__(kernel, hooks, shell, control)
        self.stream = kernel.shell_stream

    def schedule_turn(self) -> None:
        self.kernel.schedule_dispatch(self.hooks.main_turn)

    def dispatch_stock(self, frames: Frames) -> None:
        self.kernel.schedule_dispatch(self.kernel.dispatch_shell, frames)
