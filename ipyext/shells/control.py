"""Subshell requests and interrupts on the control channel.

Source: JEP 91 for create, delete and list. Everything here runs in the control thread and waits
for nobody.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil

from ipyext.errors import IpyextError
from ipyext.protocol import content as contents
from ipyext.shells.cell_output import CellOutput

if TYPE_CHECKING:
    from ipyext.shells.child import ChildShell
    from ipyext.shells.engine import Engine


Handler = Callable[[Any, Any, Any], Any]


class ControlHandlers:
    """Entries for the kernel's `control_handlers`, in its calling convention.

    A method whose name ends in `_request` handles the message of that name. Its docstring is what
    the reference says about it: the fields of its content and of its reply, where ``(ours)`` marks
    an addition to the protocol, which changes nothing for requests without it.
    """

    def __init__(self, engine: Engine, stock: dict[str, Any]) -> None:
        self._engine = engine
        self._stock_shutdown = stock["shutdown_request"]
        names = [name for name in vars(type(self)) if name.endswith("_request")]
        if "usage_request" in stock:  # not in ipykernel 5
            names.remove("usage_request")
        self.table = {name: self._entry(getattr(self, name), stock.get(name)) for name in names}

    def _entry(self, ours: Handler, stock: Handler | None) -> Handler:
        """`ours`, or once unloaded the stock entry: another's wrapper may hold on to it."""

        def handler(stream: Any, ident: Any, parent: Any) -> Any:
            if not self._engine.router.closing:
                return ours(stream, ident, parent)
            return None if stock is None else stock(stream, ident, parent)

        return handler

    def _send(self, stream: Any, ident: Any, parent: Any, content: dict[str, Any]) -> None:
        reply_type = contents.reply_type(parent["header"]["msg_type"])
        self._engine.host.session.send(stream, reply_type, content, parent, ident)

    def _answer(self, stream: Any, ident: Any, parent: Any, action: Any) -> None:
        try:
            content = {"status": "ok", **(action() or {})}
        except IpyextError as error:
            content = contents.error(type(error).__name__, str(error))
        self._send(stream, ident, parent, content)

    def create_subshell_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Create a child subshell.

        Content:
            name (ours): the name it is to have.

        Reply:
            subshell_id: its id.
        """
        name = parent["content"].get("name")

        def create() -> dict[str, Any]:
            child = self._engine.registry.create(name)
            self._engine.culler.made(child, parent["header"].get("session"), self._connection())
            return {"subshell_id": child.id}

        self._answer(stream, ident, parent, create)

    def _connection(self) -> int:
        """The connection that the request at hand has come on."""
        request = self._engine.current()
        return -1 if request is None else self._engine.host.connection_of(request.frames)

    def delete_subshell_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Delete a child subshell at once, running or not. The idle follows the end of an idle one.

        Content:
            subshell_id: its id.
        """
        subshell_id = parent["content"]["subshell_id"]
        dismissed: list[ChildShell | None] = []
        self._answer(
            stream,
            ident,
            parent,
            lambda: dismissed.append(self._engine.dismiss_id(subshell_id)),
        )
        for child in filter(None, dismissed):
            self._engine.registry.settle(child)

    def list_subshell_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """List the child subshells.

        Reply:
            subshell_id: a list of their ids, without the parent subshell.
        """
        engine = self._engine
        self._answer(stream, ident, parent, lambda: {"subshell_id": engine.list_ids()})

    def interrupt_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Interrupt main if main is busy, else every busy child.

        Content:
            subshell_id (ours): interrupt that child and no other.

        Reply:
            blocked (ours): children that an earlier interrupt has not reached because they are in
                native code: `subshell_id`, `name`, `seconds` since it. Only if there are some.
        """
        wanted = parent["content"].get("subshell_id")
        engine = self._engine

        def interrupt() -> dict[str, Any]:
            if wanted is None:
                blocked = engine.interrupts.stop_button()
            else:
                blocked = engine.interrupts.child(engine.registry.find(str(wanted)))
            return {"blocked": [child._asdict() for child in blocked]} if blocked else {}

        self._answer(stream, ident, parent, interrupt)

    async def shutdown_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Shut down as the stock kernel does, and let no child keep the process alive.

        Content:
            restart: whether another kernel will take its place.

        Reply:
            restart: the same.
        """
        engine = self._engine
        engine.exit_guard.start()
        engine.debug.quiet()
        engine.abandon()
        # What has come in by now is answered, too: there is no such subshell any more.
        engine.host.in_shell_channel(engine.host.flush_shell)
        result = self._stock_shutdown(stream, ident, parent)
        if inspect.isawaitable(result):
            await result
        # ipykernel 5 and 6 stop main's loop with calls that do not wake it from another thread.
        engine.host.stop_main()
        if engine.parent.busy:
            engine.interrupts.main()

    async def debug_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """A request of the Debug Adapter Protocol; events are `debug_event` on iopub.

        The reply comes whenever the response is there, whatever other requests wait for.

        Content:
            type: `"request"`.
            seq: its number.
            command: what is asked for.
            arguments: as the protocol has them.

        Reply:
            type: `"response"`.
            request_seq: the number of the request.
            success: whether it was done.
            command: as in the request.
            message: why not.
            body: as the protocol has it.
        """
        engine = self._engine
        with engine.debug.answering():
            future = engine.debug.jupyter_request(parent["content"], parent, self._connection())
            self._send(stream, ident, parent, await asyncio.wrap_future(future))

    def output_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """List the cells whose output is kept, or give the output of one.

        Content:
            msg_id (ours): of the request whose output is wanted; all are listed without it.
            subshell_id (ours): list those of that subshell only; by name or id.
            since (ours): only what is newer, in seconds since the epoch.

        Reply:
            cells: a list of what is known of each, and the `outputs` of the one that was asked for.
            dropped: how many cells were forgotten for want of space.
        """
        wanted = parent["content"]
        msg_id, since = wanted.get("msg_id"), wanted.get("since")
        outputs = self._engine.outputs

        def look() -> dict[str, Any]:
            if msg_id is None:
                found = [_described(c) for c in outputs.cells(wanted.get("subshell_id"), since)]
            else:
                cell = outputs.request(msg_id)
                found = [{**_described(cell), "outputs": cell.outputs(since)}]
            return {"cells": found, "dropped": outputs.dropped}

        self._answer(stream, ident, parent, look)

    def usage_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Measure the process and its machine, on ipykernel 5 as later versions do.

        Reply:
            hostname: of the machine.
            pid: of the process.
            kernel_cpu: in percent.
            kernel_memory: in bytes.
            cpu_count: of the machine.
            host_cpu_percent: of the machine, since the last request; the first may lack it.
            host_virtual_memory: of the machine, in bytes: `total`, `available`, `percent`, `used`
                and others.
        """
        process = psutil.Process()
        self._send(
            stream,
            ident,
            parent,
            {
                "hostname": socket.gethostname(),
                "pid": os.getpid(),
                "kernel_cpu": process.cpu_percent(),
                "kernel_memory": process.memory_info().rss,
                "cpu_count": psutil.cpu_count(logical=True),
                "host_cpu_percent": psutil.cpu_percent(),
                "host_virtual_memory": dict(psutil.virtual_memory()._asdict()),
            },
        )


def _described(cell: CellOutput) -> dict[str, Any]:
    return {
        "msg_id": cell.msg_id,
        "subshell_id": cell.subshell_id,
        "shells": list(cell.shells),
        "execution_count": cell.count,
        "code": cell.code,
        "began": cell.began,
        "ended": cell.ended,
        "size": cell.size,
        "lost": cell.lost,
    }
