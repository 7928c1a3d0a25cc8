"""Subshell requests and interrupts on the control channel.

Source: JEP 91 for create, delete and list; `subshell_id` in the content of an interrupt_request
is our addition and changes nothing for requests without it. Everything here runs in the control
thread and waits for nobody.
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

if TYPE_CHECKING:
    from ipyext.shells.child import ChildShell
    from ipyext.shells.engine import Engine


Handler = Callable[[Any, Any, Any], Any]


class ControlHandlers:
    """Entries for the kernel's `control_handlers`, in its calling convention."""

    def __init__(self, engine: Engine, stock: dict[str, Any]) -> None:
        self._engine = engine
        self._stock_shutdown = stock["shutdown_request"]
        names = [
            "create_subshell_request",
            "delete_subshell_request",
            "list_subshell_request",
            "interrupt_request",
            "shutdown_request",
            "debug_request",
        ]
        if "usage_request" not in stock:  # ipykernel 5
            names.append("usage_request")
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
        """Create a child subshell, with `name` from the content if there is one."""
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
        """Delete a child subshell; see `Registry.delete`.

        The reply does not wait for the thread. By the idle, that of an idle child has ended.
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
        """List the ids of the child subshells."""
        engine = self._engine
        self._answer(stream, ident, parent, lambda: {"subshell_id": engine.list_ids()})

    def interrupt_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Interrupt what the person sees running, or the child that `subshell_id` names.

        ``blocked`` in the reply lists children that an earlier interrupt has not reached, because
        they are in native code.
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
        """Shut down as the stock kernel does, and let no child keep the process alive."""
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
        """Hand a DAP request to the debug router, and its response back whenever that is there."""
        engine = self._engine
        future = engine.debug.jupyter_request(parent["content"], parent, self._connection())
        self._send(stream, ident, parent, await asyncio.wrap_future(future))

    def usage_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """What ipykernel 6 answers: host, process, CPU and memory (bytes, percent)."""
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
