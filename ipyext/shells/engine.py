"""The engine: routes every message, owns the shells, and answers the boundary's hooks.

Threads: `shell_message`, `stdin_message` and routing run in the shell channel thread,
`control_message` in the control thread, `main_turn` on main, `execute_child` in a child's thread.
Everything else may be called from any thread. See docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import itertools
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from ipyext.host import KernelHost
from ipyext.protocol import content as contents
from ipyext.protocol.routing import CellLine, Destination, Route, View, cell_body, route
from ipyext.shells.child import ChildShell
from ipyext.shells.context import Contexts
from ipyext.shells.control import ControlHandlers
from ipyext.shells.culler import Culler
from ipyext.shells.dispatch import Dispatcher
from ipyext.shells.exit_guard import ExitGuard
from ipyext.shells.interrupts import Interrupts
from ipyext.shells.jobs import DetachedCell, Job
from ipyext.shells.main_calls import MainCall, MainCalls
from ipyext.shells.registry import Registry
from ipyext.shells.request import Message, Request
from ipyext.shells.shell import EndOfAbort, ParentShell, Shell
from ipyext.shells.stdin import Stdin

log = logging.getLogger("ipyext.engine")

# Requests that work on the InteractiveShell: on control they run in the service thread, so that
# the control thread stays free.
_SHELL_WORK = frozenset(
    {
        "execute_request",
        "complete_request",
        "inspect_request",
        "history_request",
        "is_complete_request",
        "apply_request",
    }
)


class Engine:
    """All shells of one kernel.

    Args:
        host: the kernel.
        parse_line: understands what follows ``%%subshell``; None if it is wrong.
    """

    def __init__(self, host: KernelHost, parse_line: Callable[[str], CellLine | None]) -> None:
        self.host = host
        self.contexts = Contexts()
        self.parent = ParentShell(self._wake_main)
        self.registry = Registry(self._new_child)
        self.stdin = Stdin(host)
        self.jobs: list[Job] = []
        self.recorders: dict[str, Callable[[str], None]] = {}
        self.answer_while_busy = True
        self.comms = "auto"
        self.comm_targets: dict[str, str] = {}
        self.closing = False
        self._parse_line = parse_line
        self._dispatcher = Dispatcher(
            host.kernel, self.contexts, host.has_control_thread, host.own_sigint
        )
        self.main_gate = self._dispatcher.main_gate
        self._job_numbers = itertools.count(1)
        self.interrupts = Interrupts(self.parent, self.main_gate, self._running)
        self.main_calls = MainCalls(self.parent, self.contexts, self.interrupts)
        self.exit_guard = ExitGuard(self.contexts.threads)
        self._main_request: Request | None = None
        self._last: Callable[[], Request | None] = _nobody
        self.culler = Culler(
            self.registry.all, self.delete, host.in_shell_channel, host.shell_channel_loop
        )
        self._helpers: dict[str, ChildShell] = {}
        self._helpers_lock = threading.Lock()
        self._debug_turn: asyncio.Lock | None = None
        self._tasks: set[asyncio.Task[None]] = set()

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
        running = [child.current for child in self._running()]
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
        request = self._receive("shell", frames)
        if request is None:
            return
        message = request.message
        view = View(
            main_busy=self.parent.busy or self.parent.queued > 0,
            is_child=lambda wanted: self.registry.get(wanted) is not None,
            parse_line=self._parse_line,
            answer_while_busy=self.answer_while_busy,
            comms=self._comm_policy(message["content"]),
            comm_waits=self._comm_waits(message["content"]),
        )
        where = route(request.type, message["header"], message["content"], view)
        if self.closing:  # what is left to do is handing over to the stock kernel
            where = Route(Destination.PARENT)
        if where.to is Destination.REFUSE and self._forward_to_stock(request):
            return
        try:
            self._deliver(request, where)
        except Exception as error:
            log.exception("Could not deliver %s", request.type)
            request.refuse(type(error).__name__, str(error))

    def control_message(self, frames: Any) -> None:
        request = self._receive("control", frames)
        if request is None:
            return
        if request.type in _SHELL_WORK:
            self._put(self.helper("service"), request)
        elif request.type == "debug_request":
            self._spawn(self._debug(request))
        else:
            self._spawn(self._dispatcher.on_control(request))

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
                await self._dispatcher.on_main(self.parent, item)
        finally:
            self.parent.executed += item.type == "execute_request"
            self.parent.done()

    def drain_main(self) -> list[Any]:
        items = self.parent.drain()
        for item in items:
            if isinstance(item, MainCall):
                item.cancel()
        return [item.frames for item in items if not isinstance(item, MainCall)]

    def own_history(self) -> Any | None:
        shell = self.current_shell()
        if shell is self.parent or shell in self._helpers.values():
            return None
        return shell.interactive.history_manager if shell.interactive is not None else None

    def list_children(self) -> list[str]:
        return [str(child.id) for child in self.registry.all()]

    def main_ended(self) -> None:
        self.exit_guard.main_ended()

    def kernel_info(self, info: Message) -> Message:
        features = list(info.get("supported_features", []))
        if "kernel subshells" not in features:
            features.append("kernel subshells")
        return {**info, "supported_features": features}

    async def cell_ended(self, content: Message) -> None:
        request = self.contexts.current() or self._main_request
        if content.get("status") != "error" or request is None or self.closing:
            return
        asked = request.content
        if asked.get("silent") or not asked.get("stop_on_error", True):
            return
        # Before the reply: what comes in after it was sent in knowledge of the error.
        await asyncio.wrap_future(self._abort(self.current_shell()))

    def _abort(self, shell: Shell) -> concurrent.futures.Future[None]:
        """Abort the cells that have arrived for `shell`; done when they are known."""
        known: concurrent.futures.Future[None] = concurrent.futures.Future()
        shell.aborting = True
        timeout = self.host.kernel.stop_on_error_timeout

        def end() -> None:
            shell.put(EndOfAbort())

        def arrived() -> None:
            try:
                self.host.flush_shell()
                if timeout:
                    self.host.shell_channel_loop().call_later(timeout, end)
                else:
                    end()
            finally:
                known.set_result(None)

        self.host.in_shell_channel(arrived)
        return known

    def ask_main(self, prompt: str, password: bool, idents: Any, parent: Message) -> str:
        return self.stdin.ask(self.parent, list(idents), parent, prompt, password)

    async def execute_child(self, request: Request, arguments: dict[str, Any]) -> Message:
        shell = request.shell
        assert isinstance(shell, ChildShell)
        code = arguments.pop("code")
        expressions = arguments.pop("user_expressions", None) or {}
        arguments.pop("allow_stdin", None)
        try:
            if request.own_subshell:
                arguments["body"] = cell_body(code)
            drive: Any = self.main_calls.drive if request.on_main else shell.drive
            result = await self.host.run_cell(shell.interactive, code, drive=drive, **arguments)
        except KeyboardInterrupt as error:
            self.host.show_error(shell.interactive, error)
            content = contents.error("KeyboardInterrupt", "")
            content["execution_count"] = shell.interactive.execution_count - 1
        else:
            shell.executed += 1
            content = self.host.reply_content(shell.interactive, result, expressions)
        await self.cell_ended(content)
        return content

    def sigint(self) -> None:
        self.interrupts.on_sigint()

    def main_busy(self) -> bool:
        return self.parent.busy

    def execute_main(self, call: Callable[[], Any]) -> Any:
        gate = self.main_gate
        try:
            gate.open()
            result = call()
        finally:
            gate.closing = True
            gate.close()
        return self._main_cell(gate.steps(result) if inspect.iscoroutine(result) else result)

    async def _main_cell(self, running: Any) -> Message:
        content: Message = await running
        await self.cell_ended(content)
        return content

    def drive_main(self, coroutine: Any) -> Any:
        return self.main_gate.steps(coroutine)

    def suspended_main(self, task: Any) -> Any:
        return self.main_gate.suspended(task)

    # -- routing (shell channel thread, but for control) ---------------------------------------

    def _receive(self, channel: str, frames: Any) -> Request | None:
        try:
            idents, message = self.host.read(frames)
        except Exception as error:
            self._refuse_unreadable(channel, frames, error)
            return None
        self.culler.heard(message["header"].get("session"))
        request = Request(self.host, channel, frames, idents, message, self._ask)
        try:
            message["content"] = self.host.unpack(message["content"])
        except Exception as error:
            request.refuse("InvalidContentError", f"the content is not valid JSON: {error}")
            return None
        return request

    def _refuse_unreadable(self, channel: str, frames: Any, error: Exception) -> None:
        try:
            idents, message = self.host.read_header(frames)
        except Exception as reason:
            log.warning("Dropped an unreadable message on the %s channel: %r", channel, reason)
            return
        log.warning("Refused an unreadable message on the %s channel: %r", channel, error)
        request = Request(self.host, channel, frames, idents, message, self._ask)
        request.refuse("InvalidMessageError", f"the message cannot be read: {error}")

    def _deliver(self, request: Request, where: Route) -> None:
        if where.to is Destination.REFUSE:
            request.refuse("UnknownSubshellError", f"Unknown subshell_id {where.name}")
        elif where.to is Destination.INLINE:
            self._spawn(self._dispatcher.inline(request))
        else:
            request.own_subshell = where.to in (Destination.NAMED, Destination.FRESH)
            request.on_main = where.on_main
            shell = self._shell_for(where)
            if shell is None:  # deleted since it was routed
                request.refuse("UnknownSubshellError", f"Unknown subshell_id {where.name!r}")
            else:
                self._put(shell, request)

    def _shell_for(self, where: Route) -> Shell | None:
        if where.to is Destination.CHILD:
            return self.registry.get(where.name)
        if where.to is Destination.NAMED:
            return self.registry.named(where.name)
        if where.to is Destination.FRESH:
            return self.registry.create(ephemeral=True)
        if where.to in (Destination.SERVICE, Destination.COMMS):
            return self.helper(where.to.value)
        return self.parent

    def _put(self, shell: Shell, request: Request) -> None:
        if isinstance(shell, ChildShell):
            request.shell = shell
        if not shell.put(request):
            request.delete(shell.label)

    def _comm_policy(self, content: Any) -> str:
        """The policy for the target of a comm message."""
        if not self.comm_targets or not isinstance(content, dict):
            return self.comms
        target = content.get("target_name")
        if target is None:
            manager = getattr(self.host.kernel, "comm_manager", None)
            comm = getattr(manager, "comms", {}).get(content.get("comm_id"))
            target = getattr(comm, "target_name", None)
        return self.comm_targets.get(str(target), self.comms)

    def _comm_waits(self, content: Any) -> str:
        """Where an earlier message of the same comm still is: its callbacks keep their order."""
        comm_id = content.get("comm_id") if isinstance(content, dict) else None
        if comm_id is None:
            return ""
        comms = self._helpers.get("comms")
        if comms is not None and comms.works_on(comm_id):
            return "comms"
        if self.parent.works_on(comm_id):
            return "parent"
        for child in self.registry.all():  # by their header, or by a policy that has changed
            if child.works_on(comm_id):
                return str(child.id)
        return ""

    def _forward_to_stock(self, request: Request) -> bool:
        """Subshells that ipykernel 7 made before we were loaded stay as they are."""
        subshell_id = request.message["header"].get("subshell_id")
        if not isinstance(subshell_id, str) or not self.host.is_stock_subshell(subshell_id):
            return False
        self.host.forward_to_stock(subshell_id, request.frames)
        return True

    def _spawn(self, coroutine: Any) -> None:
        """Run a coroutine in the calling thread's loop, kept alive until it is done."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _debug(self, request: Request) -> None:
        # ipykernel's debugger expects one request at a time; the others do not wait for it.
        if self._debug_turn is None:
            self._debug_turn = asyncio.Lock()
        async with self._debug_turn:
            await self._dispatcher.on_control(request)

    def _wake_main(self) -> None:
        self.host.in_shell_channel(self.host.wake_main)

    # -- shells --------------------------------------------------------------------------------

    def current_shell(self) -> Shell:
        """The shell that the calling code belongs to."""
        request = self.contexts.current()
        return self.parent if request is None or request.shell is None else request.shell

    def _new_child(self, shell_id: str, name: str | None, ephemeral: bool) -> ChildShell:
        return ChildShell(
            shell_id,
            name,
            work=self._work,
            new_interactive=self._new_interactive,
            ended=self._ended,
            ephemeral=ephemeral,
        )

    def helper(self, name: str) -> ChildShell:
        """A shell of ours that is not listed: ``"service"`` or ``"comms"``. Made on first use."""
        with self._helpers_lock:
            shell = self._helpers.get(name)
            if shell is None or shell.closed:
                shell = self._new_child(f"ipyext-{name}", f"ipyext-{name}", False)
                self._helpers[name] = shell
                shell.start()
            return shell

    def _new_interactive(self, child: ChildShell) -> Any:
        return self.host.new_child_shell(self.contexts.current, child.label)

    def _ended(self, child: ChildShell) -> None:
        # An ephemeral child ends by itself; whoever queued something meanwhile gets an answer.
        self.registry.remove(child)
        child.storage.clear()  # jobs, and threads that it started, may still know the child
        for item in child.close():
            item.delete(child.label)

    def _running(self) -> list[ChildShell]:
        """The children that run people's code now: subshells, and the thread of the comms."""
        comms = self._helpers.get("comms")
        shells = [*self.registry.all(), *([] if comms is None else [comms])]
        return [shell for shell in shells if shell.busy]

    async def _work(self, child: ChildShell, item: Any) -> None:
        request = _request_of(item)
        if request is not None and self._helpers.get("service") is not child:
            self._last = weakref.ref(request)
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

    def _ask(self, request: Request, prompt: str, password: bool) -> str:
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
        """Delete by id, also one that ipykernel 7 made itself.

        Raises:
            SubshellNotFoundError: no such id.
        """
        if self.host.is_stock_subshell(subshell_id):
            self.host.delete_stock(subshell_id)
        else:
            self.delete(self.registry.find(subshell_id))

    def submit(self, name: str | None, code: str) -> Job:
        """Queue a cell in a child (made on demand) and return at once. Any shell's thread."""
        child = self.registry.create(ephemeral=True) if name is None else self.registry.named(name)
        launcher = self.contexts.current()
        message = self._parent_message() if launcher is None else launcher.message
        idents = self._parent_idents() if launcher is None else launcher.idents
        request = Request(self.host, "shell", (), idents, message, self._ask)
        request.shell = child
        cell = DetachedCell(code, request)
        job = Job(next(self._job_numbers), child, cell, self.current_shell)
        self.jobs.append(job)
        if not child.put(cell):
            cell.delete(child.label)
        return job

    def _parent_message(self) -> Message:
        current = self.parent.current
        if current is not None:
            return dict(current.message)
        message = self.host.main.get_parent() if hasattr(self.host.main, "get_parent") else None
        if not message:
            message = {"header": {"msg_id": "", "msg_type": "execute_request", "session": ""}}
        return {"content": {}, "metadata": {}, "parent_header": {}, **message}

    def _parent_idents(self) -> list[bytes]:
        return self.parent.current.idents if self.parent.current is not None else []

    # -- the end -------------------------------------------------------------------------------

    def retire(self) -> None:
        """Delete every child without waiting for its code; helpers finish what they have begun.

        Any thread.
        """
        self.culler.stop()
        for child in self.registry.all():
            self.delete(child)
        for helper in self._give_up_helpers():
            helper.retire()

    def abandon(self) -> None:
        """The process ends: delete every child, and the helpers. Any thread."""
        self.culler.stop()
        for child in self.registry.all():
            self.delete(child)
        for helper in self._give_up_helpers():
            self.registry.end(helper)

    def _give_up_helpers(self) -> list[ChildShell]:
        with self._helpers_lock:
            helpers, self._helpers = list(self._helpers.values()), {}
        return helpers


def _request_of(item: Any) -> Request | None:
    """The request behind an item of a child's queue."""
    found = item.request if isinstance(item, DetachedCell) else item
    return found if isinstance(found, Request) else None


def _nobody() -> None:
    """Main ran last, or nobody has run anything."""
