"""Takes messages in and hands each of them to who answers it.

The shell channel thread calls `shell_message`, the control thread `control_message`; nothing here
waits. The rules themselves are `ipyext.protocol.routing`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

from ipyext.errors import IpyextError
from ipyext.host import KernelHost
from ipyext.protocol.routing import COMM_TYPES, CellLine, Destination, Route, View, route
from ipyext.shells.child import ChildShell
from ipyext.shells.dispatch import Dispatcher
from ipyext.shells.helpers import Helpers
from ipyext.shells.registry import Registry
from ipyext.shells.request import Asker, Request
from ipyext.shells.shell import ParentShell, Shell

log = logging.getLogger("ipyext.router")

# Requests that work on the InteractiveShell, or may have much to say: on control they run in the
# service thread, so that the control thread stays free.
_SERVICE_WORK = frozenset(
    {
        "execute_request",
        "complete_request",
        "inspect_request",
        "history_request",
        "is_complete_request",
        "apply_request",
        "output_request",
    }
)


class Router:
    """Routes the messages of one kernel.

    Args:
        host: the kernel.
        dispatcher: answers what is answered where it comes in.
        parent, registry, helpers: the shells that answer the rest.
        parse_line: understands what follows ``%%subshell``; None if it is wrong.
        ask: how a request asks its client for input.
        heard: told the session of every message.
        revived: told of a culled child that is back, and the session that needs it.

    Attributes:
        answer_while_busy, comms, comm_targets: see `ipyext.config`.
        closing: the extension is being unloaded, so everything goes to main's queue.
        ending: the process ends: main will run nothing any more.
    """

    def __init__(
        self,
        host: KernelHost,
        dispatcher: Dispatcher,
        parent: ParentShell,
        registry: Registry,
        helpers: Helpers,
        *,
        parse_line: Callable[[str], CellLine | None],
        ask: Asker,
        heard: Callable[[Any], None],
        revived: Callable[[ChildShell, Any], None],
    ) -> None:
        self.answer_while_busy = True
        self.comms = "auto"
        self.comm_targets: dict[str, str] = {}
        self.closing = False
        self.ending = False
        # Where the messages of a comm are must not change between routing one and queueing it.
        self._comm_order = threading.Lock()
        self._host = host
        self._dispatcher = dispatcher
        self._parent = parent
        self._registry = registry
        self._helpers = helpers
        self._parse_line = parse_line
        self._ask_person = ask
        self._heard = heard
        self._revived = revived
        self._tasks: set[asyncio.Task[None]] = set()

    def shell_message(self, frames: Any) -> None:
        request = self._receive("shell", frames)
        if request is None:
            return
        with self._comm_order if request.type in COMM_TYPES else nullcontext():
            self._route(request)

    def _route(self, request: Request) -> None:
        message = request.message
        view = View(
            main_busy=self._parent.busy or self._parent.queued > 0,
            is_child=lambda wanted: self._is_child(wanted, message["header"].get("session")),
            parse_line=self._parse_line,
            answer_while_busy=self.answer_while_busy,
            comms=self._comm_policy(message["content"]),
            comm_waits=self._comm_waits(message["content"]),
            main_launches=lambda: self._parent.only_launches,
            before=self._parent.cells,
        )
        where = route(request.type, message["header"], message["content"], view)
        if self.closing:  # what is left to do is handing over to the stock kernel
            where = Route(Destination.PARENT)
        if where.to is Destination.REFUSE and self._forward_to_stock(request):
            return
        try:
            self._deliver(request, where)
        except IpyextError as error:  # a name that cannot be used, or too many subshells
            request.refuse(type(error).__name__, str(error))
        except Exception as error:
            log.exception("Could not deliver %s", request.type)
            request.refuse(type(error).__name__, str(error))

    def _is_child(self, wanted: str, session: Any) -> bool:
        """Whether there is such a child; one that was culled is there again."""
        if self._registry.get(wanted) is not None:
            return True
        if self.closing:
            return False
        try:
            child = self._registry.revive(wanted)
        except IpyextError as error:
            log.warning("Subshell %s does not come back: %s", wanted, error)
            return False
        if child is None:
            return False
        self._revived(child, session)
        return True

    def control_message(self, frames: Any) -> None:
        request = self._receive("control", frames)
        if request is None:
            return
        if request.type in _SERVICE_WORK:
            self._put(self._helpers.need("service"), request)
        else:
            self._spawn(self._dispatcher.on_control(request))

    def _receive(self, channel: str, frames: Any) -> Request | None:
        try:
            idents, message = self._host.read(frames)
        except Exception as error:
            self._refuse_unreadable(channel, frames, error)
            return None
        self._heard(message["header"].get("session"))
        request = Request(self._host, channel, frames, idents, message, self._ask_person)
        try:
            message["content"] = self._host.unpack(message["content"])
        except Exception as error:
            request.refuse("InvalidContentError", f"the content is not valid JSON: {error}")
            return None
        return request

    def _refuse_unreadable(self, channel: str, frames: Any, error: Exception) -> None:
        try:
            idents, message = self._host.read_header(frames)
        except Exception as reason:
            log.warning("Dropped an unreadable message on the %s channel: %r", channel, reason)
            return
        log.warning("Refused an unreadable message on the %s channel: %r", channel, error)
        request = Request(self._host, channel, frames, idents, message, self._ask_person)
        request.refuse("InvalidMessageError", f"the message cannot be read: {error}")

    def _deliver(self, request: Request, where: Route) -> None:
        if where.to is Destination.REFUSE:
            request.refuse("UnknownSubshellError", f"Unknown subshell_id {where.name}")
        elif where.to is Destination.INLINE:
            self._spawn(self._dispatcher.inline(request))
        else:
            request.own_subshell = where.to in (Destination.NAMED, Destination.FRESH)
            request.on_main = where.on_main
            if where.launches:
                self._reserve(request, where.name)
            shell = self._shell_for(where)
            if shell is None:  # deleted since it was routed
                request.refuse("UnknownSubshellError", f"Unknown subshell_id {where.name!r}")
            else:
                self._put(shell, request)

    def _reserve(self, request: Request, name: str) -> None:
        """Keep the place of the cell that `request` launches: children run what comes in order."""
        request.launches = True
        if name:  # a fresh child runs nothing else
            with suppress(IpyextError):  # the magic meets the same, and says so
                request.place = self._registry.named(name).reserve()

    def _shell_for(self, where: Route) -> Shell | None:
        if where.to is Destination.CHILD:
            return self._registry.get(where.name)
        if where.to is Destination.NAMED:
            return self._registry.named(where.name)
        if where.to is Destination.FRESH:
            return self._registry.create(ephemeral=True)
        if where.to in (Destination.SERVICE, Destination.COMMS):
            return self._helpers.need(where.to.value)
        return self._parent

    def _put(self, shell: Shell, request: Request) -> None:
        if isinstance(shell, ChildShell):
            request.shell = shell
        if not shell.put(request):
            request.delete(shell.label)

    def close_child(self, child: ChildShell) -> None:
        """Let `child` take nothing in any more; afterwards what waited for it is seen to.

        Comm messages go to main, in their order: a widget outlives the subshell that its front
        end names. Everything else is answered with an error. Any thread.
        """
        with self._comm_order:
            queued = child.close()
            if not (self.ending or self.closing):  # the stock kernel does not know the child's id
                queued = [item for item in queued if not self._moves_to_main(item)]
        for item in queued:
            item.delete(child.label)

    def _moves_to_main(self, item: Any) -> bool:
        if not isinstance(item, Request) or item.type not in COMM_TYPES:
            return False
        item.shell = None
        return self._parent.put(item)

    def _comm_policy(self, content: Any) -> str:
        """The policy for the target of a comm message."""
        if not self.comm_targets or not isinstance(content, dict):
            return self.comms
        target = content.get("target_name")
        if target is None:
            manager = getattr(self._host.kernel, "comm_manager", None)
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
        if self._parent.works_on(comm_id):
            return "parent"
        for child in self._registry.all():  # by their header, or by a policy that has changed
            if child.works_on(comm_id):
                return str(child.id)
        return ""

    def _forward_to_stock(self, request: Request) -> bool:
        """Subshells that ipykernel 7 made before we were loaded stay as they are."""
        subshell_id = request.message["header"].get("subshell_id")
        if not isinstance(subshell_id, str) or not self._host.is_stock_subshell(subshell_id):
            return False
        self._host.forward_to_stock(subshell_id, request.frames)
        return True

    def _spawn(self, coroutine: Any) -> None:
        """Run a coroutine in the calling thread's loop, kept alive until it is done."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
