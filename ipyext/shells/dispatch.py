"""Answers one request on the thread of its shell. The same for main, children and control."""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from ipyext.host import KernelHost
from ipyext.protocol import content as contents
from ipyext.shells.child import ChildShell
from ipyext.shells.context import Contexts
from ipyext.shells.gates import MainGate
from ipyext.shells.interrupt import main_steps
from ipyext.shells.request import Request
from ipyext.shells.shell import Shell

log = logging.getLogger("ipyext.dispatch")

# Answered in one go and at once. Their busy leaves with their idle, so that the reply is not held
# up by the iopub thread, which would take the GIL in the middle.
_QUICK = frozenset(
    {
        "comm_info_request",
        "connect_request",
        "create_subshell_request",
        "delete_subshell_request",
        "interrupt_request",
        "kernel_info_request",
        "list_subshell_request",
    }
)
_COMPLETER = frozenset({"complete_request", "inspect_request"})
# More than once is rare: the handler takes a fraction of the time that a thread has for its turn.
_COMM_INFO_TRIES = 20


class Dispatcher:
    """Calls the kernel's own handlers, and sees to it that each request is answered once.

    The kernel's tables are looked up for every message, so that entries that others add or wrap
    are honoured.

    Args:
        host: the kernel.
        contexts: told on whose behalf code runs.
        expect: told of each request that a shell is about to work on.
    """

    def __init__(
        self, host: KernelHost, contexts: Contexts, expect: Callable[[Request, Shell], None]
    ) -> None:
        self.main_gate = MainGate()
        self._own_sigint = host.own_sigint
        self._kernel = host.kernel
        self._contexts = contexts
        self._expect = expect
        self._set_control_parent = host.has_control_thread
        self._completer = threading.Lock()  # Jedi is not thread-safe

    async def on_main(self, shell: Shell, request: Request) -> None:
        """Answer on main, with the stock kernel's own bookkeeping. Main thread."""
        kernel = self._kernel
        with self.main_gate.request():
            request.shield = self.main_gate.shield
            kernel.set_parent(request.idents, request.message)
            self._expect(request, shell)
            request.begin()
            try:
                if not self._abort(shell, request) and await self._wanted(request):
                    await self._on_main(request)
                for stream in (sys.stdout, sys.stderr):
                    if stream is not None:
                        stream.flush()
            finally:
                # First: who hears of the idle may ask for the state at once, or stop a child.
                shell.done()
                self.main_gate.done()
                request.finish()

    async def _on_main(self, request: Request) -> None:
        self._kernel.pre_handler_hook()
        try:
            self._own_sigint()
            handling = self._handle(self._kernel.shell_handlers, request)
            # Cells open the gate themselves, exactly around their code: see `Engine.execute_main`.
            cell = request.type == "execute_request"
            await (handling if cell else main_steps(handling, self.main_gate))
        except KeyboardInterrupt:
            request.fail("KeyboardInterrupt", "")
        finally:
            self._kernel.post_handler_hook()

    async def in_child(self, shell: ChildShell, request: Request) -> None:
        """Answer in a child's thread, or in a service thread."""
        token = self._contexts.enter(request)
        self._expect(request, shell)
        request.begin()
        control = request.channel == "control"
        table = self._kernel.control_handlers if control else self._kernel.shell_handlers
        try:
            if not self._abort(shell, request) and await self._wanted(request):
                if request.type == "execute_request":
                    await self._handle(table, request)
                else:
                    await shell.drive(self._handle(table, request))
        except KeyboardInterrupt:
            request.fail("KeyboardInterrupt", "")
        except BaseException as error:  # SystemExit, for one: there is nothing here to exit from
            log.exception("Exception in the handler of %s", request.type)
            request.fail(type(error).__name__, str(error))
        finally:
            shell.done()  # first: who hears of the idle may ask for the state at once
            request.finish()
            self._contexts.leave(token)

    async def inline(self, request: Request) -> None:
        """Answer what waits for no cell in the shell channel thread."""
        kernel = self._kernel
        controls = request.type in ("shutdown_request", "interrupt_request")
        await self._in_context(
            kernel.control_handlers if controls else kernel.shell_handlers, request
        )

    async def on_control(self, request: Request) -> None:
        """Answer in the control thread."""
        if self._set_control_parent:
            self._kernel.set_parent(request.idents, request.message, channel="control")
        await self._in_context(self._kernel.control_handlers, request)

    async def _in_context(self, table: dict[str, Any], request: Request) -> None:
        token = self._contexts.enter(request)
        request.begin(hurry=request.type not in _QUICK)
        try:
            await self._handle(table, request)
        finally:
            request.finish()
            self._contexts.leave(token)

    def _abort(self, shell: Shell, request: Request) -> bool:
        if request.type != "execute_request" or not shell.aborting:
            return False
        request.reply({"status": "aborted"}, {"status": "aborted"})
        return True

    async def _wanted(self, request: Request) -> bool:
        wanted = self._kernel.should_handle(request.stream, request.message, request.idents)
        return bool(await wanted if inspect.isawaitable(wanted) else wanted)

    async def _handle(self, table: dict[str, Any], request: Request) -> None:
        problem = contents.problem(request.type, request.content)
        if problem is not None:
            request.fail("InvalidContentError", problem)
            log.warning("Refused %s: %s", request.type, problem)
            return
        handler = table.get(request.type)
        if handler is None:
            log.warning("Nobody handles %s on the %s channel", request.type, request.channel)
            request.fail(
                "UnknownMessageError",
                f"this kernel has no handler for {request.type} on the {request.channel} channel",
            )
            return
        request.message["content"] = contents.complete(request.type, request.content)
        # `with`: an interrupt that arrives as the lock is got gives it back again.
        alone: Any = self._completer if request.type in _COMPLETER else nullcontext()
        try:
            with alone:
                await self._call(handler, request)
        except Exception as error:
            # A handler that goes on after its child was deleted meets a stock kernel that knows
            # no such subshell; its request was answered.
            gone = request.shell is not None and request.shell.closed
            level = logging.DEBUG if gone else logging.ERROR
            log.log(level, "Exception in the handler of %s", request.type, exc_info=True)
            request.fail(type(error).__name__, str(error))
        except KeyboardInterrupt as error:
            log.error("Interrupted while handling %s", request.type)
            request.fail(type(error).__name__, "interrupted")

    async def _call(self, handler: Any, request: Request) -> None:
        tries = _COMM_INFO_TRIES if request.type == "comm_info_request" else 1
        for left in reversed(range(tries)):
            try:
                result = handler(request.stream, request.idents, request.message)
                if inspect.isawaitable(result):
                    await result
            except RuntimeError as error:
                # Another shell opened or closed a comm while the handler went through them.
                if not left or "changed size" not in str(error):
                    raise
            else:
                return
