"""What the boundary asks of the engine, as protocols: the boundary never imports `ipyext`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Frames = Sequence[Any]
Message = dict[str, Any]


class Context(Protocol):
    """The request on whose behalf the calling code runs, where that is not plain main."""

    @property
    def channel(self) -> str:
        """``"shell"`` or ``"control"``."""

    @property
    def message(self) -> Message:
        """The deserialized request."""

    @property
    def muted(self) -> bool:
        """Its shell was deleted: whatever it still publishes is dropped."""

    @property
    def interactive(self) -> Any | None:
        """The child's own InteractiveShell; ``None`` where main's is meant."""

    def write(self, stream: Any, text: str) -> int:
        """Append to what this request printed."""

    def flush(self, stream: Any) -> None:
        """Hand what was printed to the iopub thread; does not wait for it."""

    def sleep(self, seconds: float) -> None:
        """Sleep so that an interrupt ends it."""

    @property
    def can_ask(self) -> bool:
        """Whether the client of this request takes questions."""

    def ask(self, prompt: str, password: bool) -> str:
        """Ask the client of this request for a line of input."""


class DebugHooks(Protocol):
    """What the boundary asks of the debug router."""

    def suspended(self, thread: Any) -> AbstractContextManager[None]:
        """The calling thread is stopped by the debugger. KeyboardInterrupt if interrupted."""

    def at_work(self, function: Callable[[], Any], evaluation: int | None = None) -> Any:
        """Run what a debugger's client asks of the calling thread, which may be stopped.

        What it prints is told to who has asked, if it is the evaluation of that number.
        KeyboardInterrupt if its shell is interrupted.
        """

    @property
    def on(self) -> bool:
        """Whether the debugger is on. Any thread."""

    def knows(self, session: str) -> bool:
        """Whether that client has sent debug requests on the control channel. Any thread."""

    def compiling(self, code: str) -> None:
        """A cell with this text is about to be compiled. The thread of its shell."""

    def uncaught(self, info: Any) -> None:
        """An exception has left a cell. The thread of its shell."""

    def break_here(self, frame: Any) -> None:
        """Stop the calling thread in this frame."""

    def listen(self, host: str, port: int) -> tuple[str, int]:
        """Open a port for debuggers, unless there is one; returns where it is. Any thread."""

    def wait_for_client(self) -> None:
        """Wait until somebody debugs, or until `cancel_wait`. Any thread."""

    def cancel_wait(self) -> None:
        """End such waits. Any thread."""

    def client_connected(self) -> bool:
        """Whether somebody debugs. Any thread."""

    def trace_this_thread(self) -> None:
        """The calling thread is to be debugged, too."""


class Hooks(Protocol):
    """Entry points of the engine. Each says which thread calls it.

    Attributes:
        recorders: by stream name, who else wants what main prints.
        listeners: by thread, who else wants what is printed there; given text and stream name.
    """

    recorders: dict[str, Callable[[str], None]]
    listeners: dict[int, Callable[[str, str], None]]

    @property
    def debugger(self) -> DebugHooks:
        """The entry points of the debug router."""

    def current(self) -> Context | None:
        """The context of the calling code; ``None`` on main and in its threads. Any thread."""

    def main_context(self) -> Context | None:
        """The request that main works on, or did last. Any thread."""

    def descriptor_context(self) -> Context | None:
        """Whose code wrote to the process's descriptors; ``None`` for main. Any thread."""

    def inherit(self, thread: Any) -> None:
        """`thread` is about to be started by the calling code. Any thread."""

    def published(self, frames: Frames) -> None:
        """This is about to be sent on iopub. The iopub thread; once it has ended, any."""

    def captures(self) -> list[Any]:
        """The captures in force in the calling shell, innermost last. Any thread."""

    def storage(self) -> dict[str, Any] | None:
        """Things kept for the calling child subshell; None on main. Any thread."""

    def own_history(self) -> Any | None:
        """The history manager of the calling child subshell; None where main's is meant."""

    def started_process(self, process: Any) -> None:
        """The calling code starts a subprocess.Popen, which has no pid yet. Any thread."""

    def shell_message(self, frames: Frames) -> None:
        """A message came in on the shell ROUTER. Shell channel thread."""

    def control_message(self, frames: Frames) -> None:
        """A message came in on the control ROUTER. Control thread."""

    def stdin_message(self, frames: Frames) -> None:
        """A message came in on the stdin ROUTER. Shell channel thread."""

    def main_turn(self) -> Awaitable[None]:
        """Answer the next request of the parent subshell, if there is one. Main thread."""

    def main_begins(self) -> None:
        """Main works on a request, which may be one that we have not routed. Main thread."""

    def main_ends(self) -> None:
        """It does no more. Main thread."""

    def drain_main(self) -> list[Frames]:
        """Give up what main has not begun, oldest first. Main or shell channel thread."""

    def uninterrupted(self) -> AbstractContextManager[None]:
        """No interrupt arrives within; one that comes is raised at the end. Any thread."""

    def shutting_down(self) -> bool:
        """Whether the kernel was told to shut down. Any thread."""

    def current_cell(self) -> str | None:
        """The text of the cell that the calling code belongs to. Any thread."""

    def end_child(self) -> None:
        """Delete the child whose cell calls this; the cell goes on to its end."""

    def list_children(self) -> list[str]:
        """Ids of our child subshells. Any thread."""

    def kernel_info(self, info: dict[str, Any]) -> dict[str, Any]:
        """Complete the content of a kernel_info_reply. Any thread."""

    def ask_main(self, prompt: str, password: bool, idents: Any, parent: Message) -> str:
        """Ask for input on behalf of the parent subshell. Main thread."""

    def execute_child(self, context: Any, arguments: dict[str, Any]) -> Awaitable[Any]:
        """Run a cell of a child subshell. That child's thread."""

    def sigint(self) -> None:
        """SIGINT came. Raises KeyboardInterrupt where main's user code is to have it. Main."""

    def dropped(self, kind: type[BaseException]) -> bool:
        """Python drops an exception in the calling code. True if it comes again. Any thread."""

    def main_ended(self) -> None:
        """Main's code has ended; Python now waits for threads that are no daemons. Main."""

    def main_busy(self) -> bool:
        """Whether main works on a request. Any thread."""

    def execute_main(self, call: Callable[[], Any]) -> Any:
        """Run a cell of the parent subshell, through the stock kernel's `do_execute`. Main."""

    def drive_main(self, coroutine: Any) -> Any:
        """Await a cell's coroutine on main."""

    def suspended_main(self, task: Any) -> Any:
        """A context in which `task` is what an interrupt of main cancels. Main."""


Call = Callable[[], Any]


class LoopPort(Protocol):
    """A thread with an event loop that the engine lends to the boundary."""

    @property
    def io_loop(self) -> Any:
        """Its tornado IOLoop."""

    def call(self, function: Call) -> None:
        """Run `function` there soon. Any thread."""

    def ask(self, function: Call, timeout: float = 10.0) -> Any:
        """Run `function` there and return its result. Any other thread."""

    def finish(self) -> None:
        """End the thread. Any other thread."""
