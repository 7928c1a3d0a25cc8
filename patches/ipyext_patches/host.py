"""One kernel, behind one object: what the engine may do with it, whatever its version."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from ipyext_patches import versions
from ipyext_patches.cell_files import SEED, BlankLines, CellFiles
from ipyext_patches.cell_files import folder as cell_folder
from ipyext_patches.cell_names import CellNames
from ipyext_patches.errors import UnsupportedTargetError
from ipyext_patches.ledger import Action, Change, Ledger, SetAttribute, SetItem
from ipyext_patches.loops import LoopCalls, call_soon
from ipyext_patches.ports import Context, Frames, Hooks, LoopPort, Message
from ipyext_patches.spec import PatchReport


class Host:
    """A running (or starting) ipykernel.

    Attributes:
        kernel: the kernel object; only its public attributes are for the engine.
        main: the parent subshell's InteractiveShell.
        session: the kernel's `jupyter_client.session.Session`.
        lane: the major version of ipykernel.
        versions: what is installed.
    """

    def __init__(self, main: Any, found: dict[str, str]) -> None:
        self.main = main
        self.kernel = main.kernel
        self.session = self.kernel.session
        self.versions = found
        self._debugger_problem = versions.debugger_problem()
        # Not looked up later, for that takes a lock which slow imports hold.
        self._has_debugger = importlib.util.find_spec("debugpy") is not None
        self.lane = versions.lane(found["ipykernel"])
        self._ledger = Ledger()
        self._channels: Any = None
        self._display_pub = main.display_pub
        self._sink: Any = None
        self._ending: Any = None
        self._unhurried: Any = None
        self._at_start: list[Callable[[], Any]] = []
        self.cells = CellFiles()
        self._cell_names = CellNames(main, self.cells)
        self._blank_lines = BlankLines(main, self._cell_names.foreign)
        self._released = threading.Event()
        self._on_released: Callable[[], None] = lambda: None

    @property
    def has_control_thread(self) -> bool:
        return self.lane > 5

    @property
    def has_shell_channel_thread(self) -> bool:
        return self.lane > 6

    @property
    def started(self) -> bool:
        """Whether the kernel reads its sockets already; False while profiles are loaded."""
        return hasattr(self.kernel, "io_loop")

    @property
    def in_handler(self) -> bool:
        """Whether the calling code belongs to a request that the stock kernel handles on main."""
        return (
            self.started
            and threading.current_thread() is threading.main_thread()
            # What `pre_handler_hook` sees to; at other times ipykernel ignores the signal.
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )

    def open(
        self,
        hooks: Hooks,
        shell_loop: LoopPort | None,
        control_loop: LoopPort | None,
        handlers: dict[str, Any],
        magics: Sequence[Any],
        completers: dict[str, Any],
    ) -> None:
        """Apply every change, or none. Main thread (ipykernel 7: also a stock subshell's).

        Args:
            hooks: the engine.
            shell_loop: our shell channel thread where `has_shell_channel_thread` is False.
            control_loop: our control thread where `has_control_thread` is False.
            handlers: entries for the kernel's `control_handlers`.
            magics: the `Magics` objects to register.
            completers: custom completers by the word that a line starts with.

        Raises:
            UnsupportedTargetError, PatchConflictError: nothing is changed.
        """
        stock = self.kernel
        try:
            if shell_loop is None:
                thread = stock.shell_channel_thread
                shell_loop = LoopCalls(thread.io_loop, thread)
            if control_loop is None:
                control_loop = LoopCalls(stock.control_thread.io_loop, stock.control_thread)
            self._channels = self._channels_class()(stock, hooks, shell_loop, control_loop)
            changes = [
                *self._changes(hooks, handlers, magics, completers),
                *self._channel_changes(),
            ]
        except (AttributeError, KeyError) as error:  # a target that is not there at all
            raise UnsupportedTargetError(
                "something in this kernel",
                f"missing ({error})",
                "kernels that have it",
                "Another extension may have changed it: load ipyext first, or report this.",
            ) from error
        self._ledger.apply(changes)

    def begin(self) -> None:
        """After `open`: requests are routed from here on, those that main had not begun first."""
        if self._channels.taken:
            self._channels.hand_over()

    def _changes(
        self,
        hooks: Hooks,
        handlers: dict[str, Any],
        magics: Sequence[Any],
        completers: dict[str, Any],
    ) -> Iterator[Change]:
        from ipyext_patches.targets import (
            capture,
            cells,
            child_shell,
            completer,
            debugpy_api,
            dropped,
            exits,
            figures,
            history,
            import_locks,
            ipython,
            kernel,
            messages,
            output,
            python,
            stops,
            timing,
            wakeup,
        )

        stock, main, ledger = self.kernel, self.main, self._ledger
        manager = main.history_manager
        if manager is not None and manager.enabled and str(manager.hist_file) != ":memory:":
            self._sink = history.HistorySink(str(manager.hist_file))
        yield from messages.changes(ledger)
        yield from capture.changes(ledger, hooks)
        yield from history.changes(ledger, hooks, stock)
        # Before the streams, so undone after them: IPython's own keeps what it meets as `write`
        # for a cell, and puts it back.
        yield from ipython.changes(ledger, hooks, main, self._at_start.append)
        self._ending = output.Ending(stock.iopub_thread)
        self._unhurried = output.Unhurried(stock.iopub_thread)
        yield from output.changes(ledger, hooks, stock.iopub_thread, self._ending)
        yield from python.thread_changes(ledger, hooks)
        yield from python.blocking_changes(ledger, hooks)
        yield from import_locks.changes(ledger, hooks)
        yield dropped.change(ledger, hooks)
        yield exits.change(ledger, hooks, main)
        yield python.interval_change()
        yield python.thread_shutdown_change(hooks)
        yield from python.input_changes(ledger, hooks, stock)
        for one in magics:
            yield from ipython.magics_changes(main, one)
        yield from ipython.parse_changes(ledger, hooks, main)
        yield timing.change(main)
        yield from ipython.interrupt_changes(hooks, stock, main)
        yield from completer.changes(ledger, hooks, main, completers)
        yield from kernel.changes(ledger, hooks, stock, self.lane)
        self._cell_names.hooks = hooks
        yield from cells.changes(ledger, hooks, main, self.lane, self._cell_names)
        yield from stops.changes(ledger, hooks, main)
        yield from child_shell.changes(ledger, hooks, main)
        for name, handler in handlers.items():
            yield SetItem(kernel.HANDLERS, stock.control_handlers, name, handler)
        if self.has_shell_channel_thread:
            from ipyext_patches.targets import ipykernel_7

            yield from ipykernel_7.changes(ledger, hooks, stock)
        yield from figures.changes(ledger, hooks)
        yield from debugpy_api.changes(ledger, hooks)
        self._sigint = sigint = python.Sigint(hooks, stock)
        yield Action(
            python.SIGINT,
            lambda: self.on_main(sigint.install),
            lambda: self.on_main(sigint.remove),
        )
        yield sigint.told()
        yield wakeup.change(stock, self.started, self._at_start.append, self.on_main)

    def _channel_changes(self) -> Iterator[Change]:
        """Last: from here on messages come to us."""
        from ipyext_patches.targets.channels import CONTROL, SHELL, START, STDIN, begin_start

        stock, channels = self.kernel, self._channels

        def undo() -> None:
            if channels.taken and channels.needs_main:
                self.on_main(self._give_back)
            else:
                self._give_back()

        if self.started:
            yield Action(SHELL, channels.take, undo)
        else:
            start = stock.start

            def start_and_take() -> None:
                begin_start(stock)
                start()
                if self._ledger.switch.on:
                    channels.take()
                    channels.hand_over()
                    for function in self._at_start:
                        function()

            yield SetAttribute(START, stock, "start", start_and_take)
            yield Action(SHELL, lambda: None, undo)
        for patch in (CONTROL, STDIN):
            yield Action(patch, lambda: None, lambda: None)

    def _channels_class(self) -> Any:
        if self.lane == 5:
            from ipyext_patches.targets.ipykernel_5 import Ipykernel5Channels

            return Ipykernel5Channels
        if self.lane == 6:
            from ipyext_patches.targets.ipykernel_6 import Ipykernel6Channels

            return Ipykernel6Channels
        from ipyext_patches.targets.ipykernel_7 import Ipykernel7Channels

        return Ipykernel7Channels

    def close(self) -> None:
        """Take every change back. Any thread but the control and shell channel threads.

        Attributes and tables are stock when it returns. The sockets of ipykernel 5 and 6, and the
        stdin socket of 7, go back to main, so they do as soon as main is free; `wait_released`
        tells.
        """
        from ipyext_patches.targets import afterwards

        try:
            self._ledger.revert()
        finally:
            afterwards.settle(self._channels.hooks, self._display_pub)
            self._blank_lines.drop()
            self.cells.remove()
            if self._sink is not None:
                self._sink.close()

    def _give_back(self) -> None:
        if not self._channels.taken:
            self._release()
            return
        self._channels.give_back()
        self.on_main(self._release)

    def _release(self) -> None:
        if self._channels.taken:
            self._channels.give_back_stdin()
        self._released.set()
        self._on_released()

    def leave(self) -> None:
        """The process ends: end the threads that own the sockets and give those back. Main thread.

        The changes stay: without them, what children still print would reach sockets that
        ipykernel is about to close.
        """
        self._ending.begin()
        if self._channels is not None:
            self._channels.shell_loop.finish()
            self._channels.control_loop.finish()
            # Nobody will read it: ipykernel 7 closes the pipe to main as its thread ends.
            self._channels.not_begun()
            self._give_back()
        self.cells.remove()
        if self._sink is not None:
            self._sink.close()

    def wait_released(self, timeout: float | None = None) -> bool:
        """Wait until the sockets are the stock kernel's again."""
        return self._released.wait(timeout)

    def on_released(self, callback: Callable[[], None]) -> None:
        """Have `callback` called on main (ipykernel 7: in `close`) when that is so."""
        self._on_released = callback

    @property
    def released(self) -> bool:
        return self._released.is_set()

    def report(self) -> list[PatchReport]:
        """What is patched now, and where."""
        return self._ledger.report()

    # -- messages ------------------------------------------------------------------------------

    def read(self, frames: Frames) -> tuple[list[bytes], Message]:
        """See `messages.Reader.read`."""
        found: tuple[list[bytes], Message] = self._channels.reader.read(frames)
        return found

    def read_header(self, frames: Frames) -> tuple[list[bytes], Message]:
        """See `messages.Reader.read_header`."""
        found: tuple[list[bytes], Message] = self._channels.reader.read_header(frames)
        return found

    def unpack(self, content: Any) -> Any:
        """See `messages.Reader.unpack`."""
        return self._channels.reader.unpack(content)

    def publish(
        self, msg_type: str, content: Message, parent: Message, *, hurry: bool = True
    ) -> None:
        """Send on iopub; without `hurry`, together with what is published next. Any thread."""
        self.session.send(
            self.kernel.iopub_socket if hurry else self._unhurried,
            msg_type,
            content,
            parent=parent,
            ident=self.kernel._topic(msg_type),
        )

    def send(self, channel: str, frames: Frames, copy: bool = True) -> None:
        """Send serialized frames on ``"shell"``, ``"control"`` or ``"stdin"``. Any thread."""
        getattr(self._channels, channel).send(frames, copy)

    def after_output(self, function: Callable[[], Any]) -> None:
        """Run `function` in the iopub thread, after what is published already. Any thread."""
        self.kernel.iopub_thread.schedule(function)

    def ask_output(self, function: Callable[[], Any]) -> Any:
        """See `output.caught_up`."""
        from ipyext_patches.targets import output

        return output.caught_up(self.kernel.iopub_thread, function)

    def thread_ends(self) -> None:
        """A thread of ours ends: what ipykernel keeps for it is closed. That thread, last thing."""
        from ipyext_patches.targets import output

        output.close_pipe(self.kernel.iopub_thread)

    def wake_main(self) -> None:
        """Have main call `Hooks.main_turn` soon. Shell channel thread."""
        self._channels.wake_main()

    def in_shell_channel(self, function: Callable[[], Any]) -> None:
        """Run `function` in the shell channel thread soon. Any thread."""
        self._channels.shell_loop.call(function)

    def shell_channel_loop(self) -> Any:
        """The asyncio loop of the shell channel thread."""
        return self._channels.shell_loop.io_loop.asyncio_loop

    def flush_shell(self) -> None:
        """Route what has already arrived on the shell socket. Shell channel thread."""
        self._channels.shell.receive(self._channels.hooks.shell_message)

    def on_main(self, function: Callable[[], Any]) -> None:
        """Run `function` on main: now if this is main, else as soon as main is free."""
        if threading.current_thread() is threading.main_thread():
            function()
        else:
            call_soon(self.kernel.io_loop.asyncio_loop, function)

    def own_sigint(self) -> None:
        """Within a request of main, SIGINT is ours as well: after `pre_handler_hook`. Main."""
        self._sigint.own()

    def sigint_is_ours(self) -> bool:
        """Whether SIGINT gets to `Hooks.sigint` now. Any thread."""
        return self._sigint.is_ours()

    def stop_main(self) -> None:
        """Stop main's event loop as soon as main is free; the process then ends. Any thread."""
        self.kernel.io_loop.add_callback(self.kernel.io_loop.stop)

    # -- debugging -----------------------------------------------------------------------------

    def new_debugger(self, hooks: Hooks) -> Any:
        """debugpy in this process, for the engine's router; see `targets.debugger.Debugpy`."""
        from ipyext_patches.targets.debugger import Debugpy

        return Debugpy(hooks, self.kernel, self._debugger_problem)

    @property
    def debugger_is_usable(self) -> bool:
        """Whether a checked debugpy was installed when the kernel was extended. Any thread."""
        return self._has_debugger and self._debugger_problem is None

    def internal_paths(self) -> list[str]:
        """Where code is that nobody debugs. Any thread."""
        from ipyext_patches.targets.visible import internal_paths

        return internal_paths()

    @property
    def cell_seed(self) -> int:
        """The seed of the hash in the names of cells."""
        return SEED

    @property
    def cell_prefix(self) -> str:
        """What the paths of cells begin with."""
        return cell_folder() + os.sep

    def keep_blank_lines(self, keep: bool) -> None:
        """Whether cells keep the blank lines that they begin with. Any thread."""
        if keep:
            self._blank_lines.keep()
        else:
            self._blank_lines.drop()

    def watch_clients(self, gone: Callable[[int], None]) -> None:
        """Have `gone` called, in the control thread, when a client's control connection is lost.

        Any thread. It is told what `connection_of` gives for that client's messages.
        """
        self._channels.control_loop.call(lambda: self._channels.watch_clients(gone))

    def connection_of(self, frames: Frames) -> int:
        """The connection that a message came on; -1 if that cannot be known. Any thread."""
        import zmq

        try:
            return int(frames[0].get(zmq.SRCFD))
        except (AttributeError, IndexError, TypeError, ValueError, zmq.ZMQError):
            return -1

    # -- subshells that ipykernel 7 made itself ------------------------------------------------

    def is_stock_subshell(self, subshell_id: str) -> bool:
        """Whether the id names a subshell that the stock kernel made before we were loaded."""
        return self.lane == 7 and bool(self._channels.stock_subshell(subshell_id))

    def forward_to_stock(self, subshell_id: str, frames: Frames) -> None:
        """Hand a message to such a subshell. Shell channel thread."""
        self._channels.forward_to_stock(subshell_id, frames)

    def delete_stock(self, subshell_id: str) -> None:
        """Stop such a subshell without waiting for its running cell. Any thread."""
        self._channels.delete_stock(subshell_id)

    def stock_subshells(self) -> list[str]:
        """Ids of such subshells."""
        return list(self._channels.manager._cache) if self.lane == 7 else []

    # -- child subshells -----------------------------------------------------------------------

    def new_child_shell(self, context: Callable[[], Context | None], label: str) -> Any:
        """An InteractiveShell of its own for a child subshell. Call it in the child's thread."""
        from ipyext_patches.targets.child_shell import new_child_shell

        # A helper's inputs are no history: it works for whoever asks.
        sink = None if label.startswith("ipyext-") else self._sink
        if sink is not None:
            sink.start()
        return new_child_shell(self.main, self._display_pub, sink, context, label)

    def run_cell(self, shell: Any, code: str, **options: Any) -> Awaitable[Any]:
        """Run a cell in a child's shell; gives IPython's ExecutionResult. The child's thread."""
        from ipyext_patches.targets.child_cells import run_cell

        return run_cell(shell, code, **options)

    def reply_content(self, shell: Any, result: Any, expressions: dict[str, str]) -> Message:
        """The content of the execute_reply for such a result. The child's thread."""
        from ipyext_patches.targets.child_cells import reply_content

        return reply_content(shell, result, expressions)

    def show_error(self, shell: Any, error: BaseException) -> str:
        """Publish `error` under the current cell; returns what it says. The shell's thread.

        Without its traceback, if that cannot be drawn or sent.
        """
        from ipyext_patches.targets.child_cells import show_error

        return show_error(shell, error)
