"""A TCP port for clients that talk the Debug Adapter Protocol.

Everything here belongs to one thread and its running asyncio loop; only the look at who a peer is
happens in another one. Nothing is said to a peer before that look, and nothing is read from it.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import ipaddress
import logging
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from ipyext.debug import peers
from ipyext.debug.peers import Answer, Verdict
from ipyext.errors import IpyextError
from ipyext.protocol import dap
from ipyext.protocol.dap import Frames, FramingError, Message
from ipyext.threads.aside import in_thread

log = logging.getLogger(__name__)

# Bytes. What a client has not read is kept in memory, so there is an end to it.
MAX_QUEUED = 64 * 1024 * 1024
# Seconds that a client has to read what was sent before its connection was closed.
GRACE = 1.0
# Seconds and a number: a machine that is gone is noticed after a minute.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}

Check = Callable[[tuple[Any, ...], tuple[Any, ...]], Verdict]


class ListenError(IpyextError, OSError):
    """No port was opened."""


class Connection:
    """A client that was let in. The loop's thread.

    Attributes:
        peer: where it is, for people: ``host:port``.
        closing: it is closed, or about to be: what it still sends is for nobody.
    """

    def __init__(self, peer: str, transport: asyncio.Transport) -> None:
        self.peer = peer
        self.closing = False
        self._transport = transport
        self._deadline: asyncio.TimerHandle | None = None

    def send(self, message: Message) -> None:
        """Queue a message; never waits. Nothing happens once the connection is closed.

        A client that leaves more than `MAX_QUEUED` bytes unread is closed.

        Raises:
            TypeError, ValueError: the message cannot be written as JSON; nothing was sent.
        """
        if self.closing:
            return
        self._transport.write(dap.encode(message))
        waiting = self._transport.get_write_buffer_size()
        if waiting > MAX_QUEUED:
            log.warning(
                "The debugger client at %s was disconnected: it left %d MB unread.",
                self.peer,
                waiting >> 20,
            )
            self.abort()

    def close(self) -> None:
        """Hang up, once what was sent has been read or `GRACE` seconds have passed.

        No message of it is given to anybody from here on; `on_close` comes a moment later.
        """
        if not self.closing:
            self.closing = True
            self._transport.close()
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(GRACE, self._transport.abort)

    def abort(self) -> None:
        """Hang up at once; what was not sent yet is lost."""
        self.closing = True
        self._transport.abort()

    def ended(self) -> None:
        """Called when the connection is no more."""
        self.closing = True
        if self._deadline is not None:
            self._deadline.cancel()

    def __repr__(self) -> str:
        return f"<Connection of {self.peer}>"


class Listener:
    """Listens on one address, once at a time. The loop's thread.

    Callbacks are called in the loop's thread, on behalf of no cell. One that raises is logged and
    changes nothing.

    Args:
        on_connect: a client was let in.
        on_message: it sent a message, or a frame that holds none (see `Frames`).
        on_close: its connection has ended, by whomever. Once for each that was let in.
        check: says who the peer of a local connection is; called in another thread.
    """

    def __init__(
        self,
        on_connect: Callable[[Connection], None],
        on_message: Callable[[Connection, Message | ValueError], None],
        on_close: Callable[[Connection], None],
        *,
        check: Check = peers.check,
    ) -> None:
        self._on_connect = on_connect
        self._on_message = on_message
        self._on_close = on_close
        self._check = check
        self._force = False
        self._server: asyncio.Server | None = None
        self._address: tuple[str, int] | None = None
        self._protocols: set[_Protocol] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens; None if it does not. Any thread."""
        return self._address

    async def open(
        self, host: str = "127.0.0.1", port: int = 0, *, force: bool = False
    ) -> tuple[str, int]:
        """Listen on exactly that address; returns it. Nothing happens if that is so already.

        Args:
            host: an address of this machine, or a name of one.
            port: 0 for any free one.
            force: let others than our own user in, too: all who can reach an address that is not
                loopback, and local peers whose user cannot be found out. Another user's are
                refused all the same.

        Raises:
            ListenError: nothing was opened; the message says why and what to do.
        """
        if (here := self._address) is not None:
            _, wanted = await _resolve(host, port)
            if (wanted[0], force) == (here[0], self._force) and port in (0, here[1]):
                return here
            raise ListenError(
                f"The debugger listens on {_text(here)} already. Close that port first: "
                "%debugctl unlisten, or ipyext.debugger().unlisten()."
            )
        listening = await _bind(host, port, force)
        self._force = force
        address: tuple[str, int] = listening.getsockname()[:2]
        self._address = address
        loop = asyncio.get_running_loop()
        try:
            server = await _on_nobodys_behalf(
                loop.create_server(lambda: _Protocol(self), sock=listening)
            )
        except OSError as error:
            listening.close()
            self._address = None
            raise _listen_error(host, port, error) from error
        except BaseException:
            listening.close()
            self._address = None
            raise
        if self.address is None:  # closed meanwhile
            server.close()
            raise ListenError("The port was closed while it was being opened. Open it again.")
        self._server = server
        return address

    async def close(self) -> None:
        """Stop listening and close every connection; `on_close` was called for each afterwards.

        It can be opened again. Nothing happens if it is closed.
        """
        server, self._server, self._address = self._server, None, None
        if server is not None:
            server.close()
        for protocol in list(self._protocols):
            protocol.hang_up()
        await self._empty.wait()

    # -- called by the protocols ---------------------------------------------------------------

    def came(self, protocol: _Protocol) -> None:
        self._protocols.add(protocol)
        self._empty.clear()

    def went(self, protocol: _Protocol) -> None:
        self._protocols.discard(protocol)
        if protocol.connection is not None:
            self.tell(self._on_close, protocol.connection)
        if not self._protocols:
            self._empty.set()

    def message(self, connection: Connection, message: Message | ValueError) -> None:
        self.tell(self._on_message, connection, message)

    def tell(self, callback: Callable[..., None], *args: Any) -> None:
        try:
            callback(*args)
        except Exception:
            log.exception("The debugger failed over its client at %s.", args[0].peer)

    async def admit(self, transport: asyncio.Transport, peer: str) -> Connection | None:
        """The connection, if its peer may come in. `on_connect` was called then."""
        ours = transport.get_extra_info("sockname")
        theirs = transport.get_extra_info("peername")
        if not await self._may_come_in(ours, theirs, peer) or transport.is_closing():
            return None
        connection = Connection(peer, transport)
        self.tell(self._on_connect, connection)
        return connection

    async def _may_come_in(self, ours: Any, theirs: Any, peer: str) -> bool:
        if not ours or not theirs:
            return False  # it hung up before it could be asked
        if not peers.is_local(ours, theirs):
            if not self._force:
                log.warning("A debugger client at %s was refused: it is not local.", peer)
            return self._force
        verdict = await _elsewhere(self._check, ours, theirs)
        if verdict.answer is Answer.ACCEPTED:
            return True
        if verdict.answer is Answer.UNKNOWN and self._force:
            log.warning(
                "A debugger client at %s was let in although nobody knows whose it is: %s. "
                "The port was opened by force.",
                peer,
                verdict.reason,
            )
            return True
        log.warning("A debugger client at %s was refused: %s.", peer, verdict.reason)
        return False


class _Protocol(asyncio.Protocol):
    """One accepted socket. Nothing is read before its peer is known."""

    def __init__(self, listener: Listener) -> None:
        self.connection: Connection | None = None
        self._listener = listener
        self._frames = Frames()
        self._transport: Any = None
        self._admission: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._listener.came(self)
        if self._listener.address is None:  # accepted in the moment of closing
            self._transport.abort()
            return
        _tune(transport.get_extra_info("socket"))
        loop = asyncio.get_running_loop()
        # Soon, not now: Python 3.10 begins to read after this call, paused or not.
        loop.call_soon(self._transport.pause_reading)
        self._admission = loop.create_task(self._admit())

    async def _admit(self) -> None:
        theirs = self._transport.get_extra_info("peername")
        peer = _text(theirs) if theirs else "unknown"
        try:
            self.connection = await self._listener.admit(self._transport, peer)
        except Exception:
            log.exception("A debugger client at %s was refused: its check failed.", peer)
        if self.connection is None:
            self._transport.abort()
        elif not self._transport.is_closing():  # `on_connect` may have closed it
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        assert connection is not None, "read before the peer was known"
        try:
            for message in self._frames.feed(data):
                if connection.closing:
                    return
                self._listener.message(connection, message)
        except FramingError as error:
            log.warning("The client at %s was disconnected: %s.", connection.peer, error)
            connection.abort()

    def hang_up(self) -> None:
        if self.connection is None:
            self._transport.abort()
        else:
            self.connection.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.connection is not None:
            self.connection.ended()
        self._listener.went(self)


async def _elsewhere(check: Check, ours: Any, theirs: Any) -> Verdict:
    """Have `check` called in a thread of its own: it may take many milliseconds.

    Not in the loop's executor, whose threads stay, and which a debugger would stop.
    """
    try:
        verdict: Verdict = await in_thread(lambda: check(ours, theirs), "Debugger peer check")
    except Exception as error:
        return Verdict(Answer.UNKNOWN, f"its check failed ({error!r})")
    return verdict


# -- sockets -----------------------------------------------------------------------------------


async def _on_nobodys_behalf(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Await in an empty context, which callbacks inherit: they belong to no cell."""
    return await contextvars.Context().run(asyncio.ensure_future, coroutine)


async def _bind(host: str, port: int, force: bool) -> socket.socket:
    """A bound socket of that address.

    Raises:
        ListenError: see `Listener.open`.
    """
    if not 0 <= port <= 65535:
        raise ListenError(f"{port} is no port. Use a number from 1 to 65535, or 0 for any.")
    family, address = await _resolve(host, port)
    if not force and not ipaddress.ip_address(address[0].partition("%")[0]).is_loopback:
        raise ListenError(
            f"The debugger does not listen on {host}: whoever can reach that address could run "
            "code in this kernel. Listen on 127.0.0.1 and come through an SSH tunnel, or force it."
        )
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # Or else another process could take the port over while we listen.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _listen_error(host, port, error) from error
    return bound


async def _resolve(host: str, port: int) -> tuple[int, Any]:
    """Family and address; of several the first of IPv4, as a port is opened on one of them."""
    try:
        if not host:
            raise ValueError("it is empty")
        # Not by the loop, whose threads stay and look like the person's.
        found = await in_thread(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "Debugger address"
        )
    except (OSError, ValueError) as error:
        raise ListenError(
            f"{host!r} is not an address of this machine ({error}). Use 127.0.0.1."
        ) from error
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, address


def _listen_error(host: str, port: int, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"Port {port} of {host} is in use already. Choose another one, or 0 for any."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ListenError(f"{host} is not an address of this machine. Use 127.0.0.1.")
    if error.errno == errno.EACCES:
        return ListenError(
            f"The system does not let us listen on port {port} of {host}. Choose one above 1023, "
            "or 0 for any."
        )
    return ListenError(f"Nothing listens on {host}:{port}: {error}. Choose another address.")


def _tune(accepted: Any) -> None:
    # Requests are small and waited for.
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _text(address: Any) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
