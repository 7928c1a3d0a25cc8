"""The engine: owns the shells, and answers the boundary's hooks.

Threads: `shell_message` and `stdin_message` run in the shell channel thread, `control_message` in
the control thread, `main_turn` on main, `execute_child` in a child's thread.
Everything else may be called from any thread. See docs/architecture.md.
"""

from __future__ import annotations

import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from ipyext.debug.debugging import Debugging
from ipyext.debug.hooks import DebugEntries
from ipyext.host import KernelHost
from ipyext.protocol import content as contents
from ipyext.protocol.routing import CellLine, cell_body
from ipyext.shells.aborts import abort_arrived
from ipyext.shells.child import ChildShell
from ipyext.shells.context import Contexts
from ipyext.shells.control import ControlHandlers
from ipyext.shells.culler import Culler
from ipyext.shells.dispatch import Dispatcher
from ipyext.shells.exit_guard import ExitGuard
from ipyext.shells.gates import Gate, MainGate
from ipyext.shells.helpers import Helpers
from ipyext.shells.interrupt import main_steps
from ipyext.shells.interrupts import Interrupts
from ipyext.shells.jobs import DetachedCell
from ipyext.shells.launcher import Launcher
from ipyext.shells.main_calls import MainCall, MainCalls
from ipyext.shells.outputs import Outputs
from ipyext.shells.registry import Registry
from ipyext.shells.request import Message, Request
from ipyext.shells.router import Router
from ipyext.shells.shell import ParentShell, Shell
from ipyext.shells.stdin import Stdin
from ipyext.shells.waiting import Pause, Waits


class Engine:
    """All shells of one kernel.

    Args:
        host: the kernel.
        parse_line: understands what follows ``%%subshell``; None if it is wrong.
        set_stop: changes the setting `debug_stop`.
    """

    def __init__(
        self,
        host: KernelHost,
        parse_line: Callable[[str], CellLine | None],
        set_stop: Callable[[str], None],
    ) -> None:
        self.host = host
        self.contexts = Contexts()
        self.parent = ParentShell(self._wake_main)
        self.registry = Registry(self._new_child, lambda child: self.router.close_child(child))
        self.stdin = Stdin(host)
        self.launcher = Launcher(self)
        self.recorders: dict[str, Callable[[str], None]] = {}
        self.listeners: dict[int, Callable[[str, str], None]] = {}
        self.outputs = Outputs(host, self.registry, self._asking, self._at_work)
        self.published = self.outputs.journal.record
        self._dispatcher = Dispatcher(host, self.contexts, self.outputs.expect)
        self.main_gate = self._dispatcher.main_gate
        # By number of the thread: deleted children whose code runs on are in no other table.
        self._gates: dict[int | None, Gate | MainGate] = {self.parent.thread_id: self.main_gate}
        self.interrupts = Interrupts(
            self.parent,
            self.main_gate,
            self._children,
            lambda: self.debug.exception_comes(),
            host.in_shell_channel,
            host.sigint_is_ours,
        )
        self.waits = Waits()
        self.main_calls = MainCalls(
            self.parent, self.contexts, self.interrupts, self.waits, self.main_gate
        )
        self.exit_guard = ExitGuard(self.contexts.threads)
        self._main_request: Request | None = None
        self._last: Callable[[], Request | None] = _nobody
        self.culler = Culler(
            self.registry.all,
            self.registry.cull,
            host.in_shell_channel,
            host.shell_channel_loop,
            host.watch_clients,
        )
        self.helpers = Helpers(self._new_child)
        self.debug = Debugging(self, set_stop)
        self.debugger = DebugEntries(self.debug)
        self.router = Router(
            host,
            self._dispatcher,
            self.parent,
            self.registry,
            self.helpers,
            parse_line=parse_line,
            ask=self.ask,
            heard=self.culler.heard,
            revived=self.culler.made,
        )

    def handlers(self) -> dict[str, Any]:
        """Entries for the kernel's `control_handlers`."""
        return ControlHandlers(self, self.host.kernel.control_handlers).table

    # -- hooks of the boundary: see ipyext_patches.ports.Hooks ---------------------------------

    def current(self) -> Request | None:
        return self.contexts.current()

    def main_context(self) -> Request | None:
        return self._main_request

    def descriptor_context(self) -> Request | None:
        """Whose cell it was that wrote to the process's descriptors, where that can be known."""
        if self.parent.busy:
            return None
        running = [child.current for child in self._children() if child.busy]
        if not running:
            return self._last()  # what it wrote last comes in a moment later
        return _request_of(running[0]) if len(running) == 1 else None

    def inherit(self, thread: threading.Thread) -> None:
        self.contexts.inherit(thread)

    def captures(self) -> list[Any]:
        return self.current_shell().captures

    def storage(self) -> dict[str, Any] | None:
        shell = self.current_shell()
        return None if shell is self.parent else shell.storage

    def started_process(self, process: Any) -> None:
        self.current_shell().started(process)

    def shell_message(self, frames: Any) -> None:
        self.router.shell_message(frames)

    def control_message(self, frames: Any) -> None:
        self.router.control_message(frames)

    def stdin_message(self, frames: Any) -> None:
        self.stdin.on_message(frames)

    async def main_turn(self) -> None:
        item = self.parent.take()
        if item is None:
            return
        try:
            if isinstance(item, MainCall):
                await item.run(self.contexts, self.main_gate)
            else:
                self._main_request = item
                self._last = _nobody
                if self.router.closing:  # looked at after the line above: see `retire`
                    item.output.hurry()
                await self._dispatcher.on_main(self.parent, item)
        finally:
            self.parent.executed += item.type == "execute_request"
            self.parent.done()

    def main_begins(self) -> None:
        if not self.parent.busy and not self.router.closing:
            message = self.parent.message(self.host.main)
            self.parent.adopt(Request(self.host, "shell", (), [], message, self.ask))

    def main_ends(self) -> None:
        self.parent.disown()

    def drain_main(self) -> list[Any]:
        items = self.parent.drain()
        for item in items:
            if isinstance(item, MainCall):
                item.cancel()
        return [item.frames for item in items if not isinstance(item, MainCall)]

    def own_history(self) -> Any | None:
        shell = self.current_shell()
        if shell is self.parent or shell in self.helpers.all():
            return None
        return shell.interactive.history_manager if shell.interactive is not None else None

    def list_children(self) -> list[str]:
        return [str(child.id) for child in self.registry.all()]

    def end_child(self) -> None:
        shell = self.current_shell()
        if isinstance(shell, ChildShell):  # a helper is in no table, and stays
            self.delete(shell)

    def uninterrupted(self) -> AbstractContextManager[None]:
        # By number: in a thread that is just being started there is no Thread for it yet, and
        # `current_thread` would make a dummy one, for good.
        gate = self._gates.get(threading.get_ident())
        return nullcontext() if gate is None else gate.held()

    def shutting_down(self) -> bool:
        return self.exit_guard.started

    def current_cell(self) -> str | None:
        request = self.current_request()
        return None if request is None or request.type != "execute_request" else request.code

    def main_ended(self) -> None:
        self.exit_guard.main_ended()
        self.debug.main_ended()

    def kernel_info(self, info: Message) -> Message:
        features = list(info.get("supported_features", []))
        wanted = ["kernel subshells"] + ["debugger"] * self.host.debugger_is_usable
        features += [feature for feature in wanted if feature not in features]
        more = {"debugger": True} if "debugger" in features else {}
        return {**info, **more, "supported_features": features}

    async def cell_ended(self, content: Message) -> None:
        request = self.current_request()
        if content.get("status") != "error" or request is None or self.router.closing:
            return
        asked = request.content
        if asked.get("silent") or not asked.get("stop_on_error", True):
            return
        shell = self.current_shell()
        # Where nothing more can come, for good; the shell channel thread may have ended.
        if self.shutting_down() or (shell is not self.parent and shell.closed):
            shell.aborting = True
        else:  # before the reply: what comes in after it was sent in knowledge of the error
            await abort_arrived(self.host, shell)

    def ask_main(self, prompt: str, password: bool, idents: Any, parent: Message) -> str:
        return self.stdin.ask(self.parent, list(idents), parent, prompt, password)

    async def execute_child(self, request: Request, arguments: dict[str, Any]) -> Message:
        shell = request.shell
        assert isinstance(shell, ChildShell)
        code = arguments.pop("code")
        expressions = arguments.pop("user_expressions", None) or {}
        arguments.pop("allow_stdin", None)
        count = shell.interactive.execution_count
        try:
            if request.own_subshell:
                arguments["body"] = cell_body(code)
            drive: Any = self.main_calls.drive if request.on_main else shell.drive
            result = await self.host.run_cell(shell.interactive, code, drive=drive, **arguments)
            content = self.host.reply_content(shell.interactive, result, expressions)
        except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            # Right before the code or after it; or an error that IPython could not show. Handlers
            # of ipykernel 5 are tornado's coroutines, which the last two would leave hanging.
            evalue = self.host.show_error(shell.interactive, error)
            counts = arguments.get("store_history", True) and not arguments.get("silent")
            if counts:  # however far it came, that number was its
                shell.interactive.execution_count = count + 1
            content = {**contents.error(type(error).__name__, evalue), "execution_count": count}
        shell.executed += 1
        if request.muted:  # the stock kernel may be back, and would abort main's cells for an error
            return {"status": "aborted"}
        await self.cell_ended(content)
        return content

    def sigint(self) -> None:
        self.interrupts.on_sigint()

    def dropped(self, kind: type[BaseException]) -> bool:
        if not issubclass(kind, KeyboardInterrupt):
            return False
        return self.interrupts.dropped(self.shell_of(threading.current_thread()))

    def main_busy(self) -> bool:
        return self.parent.busy

    def execute_main(self, call: Callable[[], Any]) -> Any:
        gate, count = self.main_gate, self.host.main.execution_count
        try:
            gate.open()
            result = call()
        finally:
            gate.closing = True
            gate.close()
        running = main_steps(result, gate) if inspect.iscoroutine(result) else result
        return self._main_cell(running, count)

    async def _main_cell(self, running: Any, count: int) -> Message:
        try:
            content: Message = await running
        except KeyboardInterrupt as error:  # right before the cell, or right after it
            self.host.show_error(self.host.main, error)
            content = {**contents.error("KeyboardInterrupt", ""), "execution_count": count}
        await self.cell_ended(content)
        return content

    def drive_main(self, coroutine: Any) -> Any:
        return main_steps(coroutine, self.main_gate)

    def suspended_main(self, task: Any) -> Any:
        return self.main_gate.suspended(task)

    def _wake_main(self) -> None:
        self.host.in_shell_channel(self.host.wake_main)

    # -- shells --------------------------------------------------------------------------------

    def current_shell(self) -> Shell:
        """The shell that the calling code belongs to."""
        request = self.contexts.current()
        return self.parent if request is None or request.shell is None else request.shell

    def current_request(self) -> Request | None:
        """The request that the calling code belongs to; main's last one if it does nothing."""
        return self.contexts.current() or self._main_request

    def _asking(self) -> str:
        request = self.contexts.current() or self._main_request
        message = self.parent.message(self.host.main) if request is None else request.message
        return str(message["header"]["msg_id"])

    def _at_work(self) -> list[Request]:
        shells = [self.parent, *self._children()]
        return [r for shell in shells if (r := _request_of(shell.current)) is not None]

    def shell_of(self, thread: threading.Thread) -> Shell | None:
        """The shell whose cells run in a thread; None for threads that cells have started."""
        if thread is threading.main_thread():
            return self.parent
        return next((child for child in self._children() if child.thread is thread), None)

    def inputs(self) -> list[str]:
        """The text of every cell so far, of all shells. Any thread."""
        managers = [self.host.main.history_manager]
        managers += [child.history for child in self._children()]
        return [code for found in managers if found for code in list(found.input_hist_raw) if code]

    @contextmanager
    def stopped(self, shell: Shell, stop: Pause) -> Iterator[None]:
        """The debugger has stopped a shell's thread: interrupts go to `stop`. That thread."""
        with ExitStack() as undo:
            undo.enter_context(shell.pause(stop))
            if shell is self.parent:
                # In this order, and undone in reverse: an interrupt goes to the one or the other.
                self.parent.stopped_at = stop
                undo.callback(setattr, self.parent, "stopped_at", None)
                undo.enter_context(self.main_gate.shield())
            if (gate := self._gate_of(shell)) is not None and gate.waits:
                raise KeyboardInterrupt  # it came before anybody knew of the stop
            yield

    def _gate_of(self, shell: Shell | None) -> Gate | MainGate | None:
        if isinstance(shell, ChildShell):
            return shell.gate
        return self.main_gate if shell is self.parent else None

    def _new_child(self, shell_id: str, name: str | None, ephemeral: bool) -> ChildShell:
        child = ChildShell(
            shell_id,
            name,
            work=self._work,
            later=self._later,
            new_interactive=self._new_interactive,
            ended=self._ended,
            ephemeral=ephemeral,
        )
        child.gate.arriving = self.debug.exception_comes
        return child

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        loop = self.host.shell_channel_loop
        self.host.in_shell_channel(lambda: loop().call_later(seconds, call))

    def _new_interactive(self, child: ChildShell) -> Any:
        return self.host.new_child_shell(self.contexts.current, child.label)

    def _ended(self, child: ChildShell) -> None:
        # An ephemeral child ends by itself; whoever queued something meanwhile gets an answer.
        self._gates.pop(child.thread_id, None)
        self.registry.remove(child)
        self.registry.bury(child)
        child.storage.clear()  # jobs, and threads that it started, may still know the child
        self.router.close_child(child)
        self.host.thread_ends()
        self.contexts.forget(child.thread)

    def _children(self) -> list[ChildShell]:
        """The children that run people's code: subshells, and the thread of the comms."""
        comms = self.helpers.get("comms")
        return [*self.registry.all(), *([] if comms is None else [comms])]

    async def _work(self, child: ChildShell, item: Any) -> None:
        self._gates[child.thread_id] = child.gate
        request = _request_of(item)
        if request is not None and self.helpers.get("service") is not child:
            self._last = weakref.ref(request)
            self.contexts.attribute(child.thread, request)  # finalizers, bare callbacks
        if isinstance(item, DetachedCell):
            token = self.contexts.enter(item.request)
            try:
                await item.run(child, functools.partial(self._run_cell, child))
            finally:
                self.contexts.leave(token)
        else:
            await self._dispatcher.in_child(child, item)

    async def _run_cell(self, child: ChildShell, code: str, **options: Any) -> Any:
        return await self.host.run_cell(child.interactive, code, drive=child.drive, **options)

    def ask(self, request: Request, prompt: str, password: bool) -> str:
        request.output.flush_all()
        shell = request.shell or self.parent
        return self.stdin.ask(shell, request.idents, request.message, prompt, password)

    def list_ids(self) -> list[str]:
        """Ids of all child subshells, those that ipykernel 7 made itself included."""
        return [*self.host.stock_subshells(), *self.list_children()]

    def delete(self, child: ChildShell) -> None:
        """Delete a child; see `Registry.delete`."""
        self.registry.delete(child, from_within=self.contexts.current())

    def delete_id(self, subshell_id: str) -> None:
        """Delete by id, also one that ipykernel 7 made itself; see `Registry.delete`.

        Raises:
            SubshellNotFoundError: no such id.
        """
        child = self.dismiss_id(subshell_id)
        if child is not None:
            self.registry.settle(child)

    def dismiss_id(self, subshell_id: str) -> ChildShell | None:
        """As `delete_id`, but the thread of the child that it returns may end a moment later."""
        if self.host.is_stock_subshell(subshell_id):
            self.host.delete_stock(subshell_id)
        elif not self.registry.forget(subshell_id):
            child = self.registry.find(subshell_id)
            self.registry.dismiss(child, from_within=self.contexts.current())
            return child
        return None

    # -- the end -------------------------------------------------------------------------------

    def retire(self) -> None:
        """Delete every child without waiting for its code; helpers finish what they have begun.

        What the calling cell and main print from now on goes out at once: after the unload they
        print the stock way, and that must not come first. Any thread.
        """
        for request in (self.contexts.current(), self._main_request):
            if request is not None:
                request.output.hurry()
        self.culler.stop()
        self._delete_all()
        service = self.helpers.get("service")
        for helper in self.helpers.give_up():
            helper.retire()
        if service is not None:
            # It must not look while the stock kernel does: they share what is the process's.
            for request in service.withdraw(_is_for_main):
                request.shell = None
                self.parent.put(request)
            if service.thread is not threading.current_thread():
                service.thread.join(2.0)  # bounded: it may look at somebody's endless code

    def abandon(self) -> None:
        """The process ends: delete every child, and the helpers. Any thread."""
        self.router.ending = True
        self.culler.stop()
        self._delete_all()
        for helper in self.helpers.give_up():
            self.registry.end(helper)
            self.registry.settle(helper)

    def _delete_all(self) -> None:
        current = self.contexts.current()
        children = self.registry.all()
        for child in children:
            self.registry.dismiss(child, from_within=current)
        for child in children:
            self.registry.settle(child)


def _request_of(item: Any) -> Request | None:
    """The request behind an item of a child's queue."""
    found = item.request if isinstance(item, DetachedCell) else item
    return found if isinstance(found, Request) else None


def _is_for_main(item: Any) -> bool:
    """Whether it came on the shell channel, where the stock kernel answers it as well."""
    return isinstance(item, Request) and item.channel == "shell"


def _nobody() -> None:
    """Main ran last, or nobody has run anything."""
