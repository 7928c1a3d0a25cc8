"""The connection that debugpy opens to us: one-shot, on loopback, checked by a token."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable
from typing import Any, Protocol

from ipyext.protocol import dap
from ipyext.threads.aside import in_thread

log = logging.getLogger("ipyext.debug")

_TRIES = 100
_SECONDS = 10.0  # for a peer to prove that it is our debugpy


class Debuggee(Protocol):
    """debugpy in this process; the boundary's `Debugpy`."""

    def load(self) -> None: ...

    def connect(self, port: int, token: str) -> None: ...

    def connected(self) -> None: ...

    def release(self) -> None: ...

    def disconnect(self) -> None: ...


class Backend:
    """Starts debugpy, talks with it, ends it. All of it belongs to the loop of the debug router.

    Args:
        debuggee: debugpy.
        on_connected: told when it can be talked with.
        on_configured: told when it traces.
        on_message: told every message.
        on_lost: told why, once per `start`, if the connection is not there (any more).
    """

    def __init__(
        self,
        debuggee: Debuggee,
        on_connected: Callable[[], None],
        on_configured: Callable[[], None],
        on_message: Callable[[dap.Message], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._on_configured = on_configured
        self._debuggee = debuggee
        self._on_connected = on_connected
        self._on_message = on_message
        self._on_lost = on_lost
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[Any] | None = None

    def start(self) -> None:
        """Import debugpy and have it connect; `on_connected` or `on_lost` follows."""
        self._task = asyncio.get_running_loop().create_task(self._session())

    def send(self, message: dap.Message) -> None:
        """Send a request; nothing if there is no connection."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(dap.encode(message))

    async def stop(self) -> None:
        """Afterwards nothing is traced, and there is no connection."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(writer.drain(), 1.0)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        connecting, self._connecting = self._connecting, None
        try:
            for _ in range(_TRIES):
                if connecting is None or connecting.done():
                    break
                self._debuggee.release()  # it may not have come so far yet that this helps
                await asyncio.wait({connecting}, timeout=_SECONDS / _TRIES)
            await in_thread(self._debuggee.disconnect, "Debugger end")
        except Exception:
            log.exception("debugpy could not be taken off cleanly")
        if writer is not None:
            writer.close()

    async def _session(self) -> None:
        loop = asyncio.get_running_loop()
        token = secrets.token_hex(16)
        listening = socket.create_server(("127.0.0.1", 0), backlog=1)
        listening.setblocking(False)
        port = listening.getsockname()[1]

        def connect() -> None:
            self._debuggee.load()
            self._debuggee.connect(port, token)

        connecting = loop.create_task(in_thread(connect, "Debugger start"))
        self._connecting = connecting
        accepting = loop.create_task(self._accept(listening, token))
        try:
            await asyncio.wait({connecting, accepting}, return_when=asyncio.FIRST_COMPLETED)
            if not accepting.done():  # it failed, or it did not wait for us
                await connecting
                await asyncio.wait_for(accepting, _SECONDS)
            reader, self._writer = accepting.result()
        except (Exception, asyncio.CancelledError) as error:
            accepting.cancel()
            if isinstance(error, asyncio.CancelledError):
                raise
            self._on_lost(f"The debugger could not be started: {_reason(error)}")
            return
        finally:
            listening.close()
        self._debuggee.connected()
        self._on_connected()
        connecting.add_done_callback(self._connect_returned)
        why = "The connection to debugpy was closed."
        try:
            await _read(reader, self._on_message)
        except (OSError, dap.FramingError) as error:
            why = f"The connection to debugpy broke: {error}"
        except Exception as error:
            log.exception("A message of debugpy could not be handled")
            why = f"The debugger failed: {type(error).__name__}: {error}"
        self._on_lost(why)

    def _connect_returned(self, task: asyncio.Task[Any]) -> None:
        if task is not self._connecting or task.cancelled():
            return  # of a session that was stopped
        error = task.exception()
        if error is None:
            self._on_configured()
        else:
            self._on_lost(f"The debugger could not be started: {_reason(error)}")

    async def _accept(
        self, listening: socket.socket, token: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The first peer that knows the token; others are turned away."""
        loop = asyncio.get_running_loop()
        while True:
            sock, peer = await loop.sock_accept(listening)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader, writer = await asyncio.open_connection(sock=sock)
            try:
                if await asyncio.wait_for(_knows(token, reader, writer), _SECONDS):
                    return reader, writer
            except (OSError, ValueError, asyncio.TimeoutError) as error:
                log.warning("A peer at %s:%s is not our debugpy: %r", *peer[:2], error)
            writer.close()


async def _knows(token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    request = {"seq": 0, "type": "request", "command": "pydevdAuthorize", "arguments": {}}
    writer.write(dap.encode(request))
    found: list[dap.Message] = []
    await _read(reader, found.append, until=lambda: bool(found))
    if not found:
        raise ConnectionError("it closed the connection")
    proof = (found[0].get("body") or {}).get("clientAccessToken")
    return isinstance(proof, str) and secrets.compare_digest(proof, token)


async def _read(
    reader: asyncio.StreamReader,
    on_message: Callable[[dap.Message], None],
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Read messages until the end, or until `until`; what follows then must not have come yet."""
    frames = dap.Frames()
    while not until():
        data = await reader.read(65536)
        if not data:
            return
        for message in frames.feed(data):
            if isinstance(message, ValueError):
                log.warning("debugpy sent something unreadable: %s", message)
            else:
                on_message(message)


def _reason(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return f"debugpy cannot be imported ({error}). Install it: pip install debugpy."
    return str(error) or type(error).__name__
