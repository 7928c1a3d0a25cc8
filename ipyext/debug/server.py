"""The debug router's TCP port: connections become clients of the router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipyext.debug.listener import Connection, Listener
from ipyext.debug.parties import Message, Party
from ipyext.protocol import dap

if TYPE_CHECKING:
    from ipyext.debug.router import DebugRouter


class DebugServer:
    """Opens and closes the port. Everything but `address` belongs to the router's thread."""

    def __init__(self, router: DebugRouter) -> None:
        self._router = router
        self._listener = Listener(self._came, self._said, self._went)
        self._parties: dict[Connection, Party] = {}
        router.on_close.append(self.close)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens; None if it does not. Any thread."""
        return self._listener.address

    async def open(self, host: str, port: int, *, force: bool = False) -> tuple[str, int]:
        """Listen there. See `Listener.open`.

        Raises:
            ListenError: nothing was opened.
        """
        return await self._listener.open(host, port, force=force)

    async def close(self) -> None:
        """Stop listening; afterwards no client is connected. Nothing happens if it is closed."""
        await self._listener.close()

    def _came(self, connection: Connection) -> None:
        self._parties[connection] = self._router.connect(connection.peer, connection.send)

    def _said(self, connection: Connection, message: Message | ValueError) -> None:
        party = self._parties[connection]
        if isinstance(message, dap.TooDeepError) and type(message.message.get("seq")) is int:
            why = f"ipyext could not read this: {message}."
            connection.send({"seq": next(party.seq), **dap.failure(message.message, why)})
        elif isinstance(message, ValueError):
            # Whose number is not known cannot be answered.
            body = {
                "category": "important",
                "output": f"ipyext could not read a message: {message}",
            }
            connection.send({"seq": next(party.seq), **dap.event("output", body)})
        else:
            self._router.receive(party, message, connection.send)

    def _went(self, connection: Connection) -> None:
        self._router.disconnect(self._parties.pop(connection))
