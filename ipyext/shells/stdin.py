"""input() and getpass() in any number of shells at once."""

from __future__ import annotations

import itertools
import logging
import threading
from typing import Any, Protocol

from IPython.core.error import StdinNotImplementedError

from ipyext.shells.request import Message, allows_input
from ipyext.shells.shell import Shell
from ipyext.shells.waiting import Pause

log = logging.getLogger("ipyext.stdin")


class StdinWire(Protocol):
    session: Any

    def send(self, channel: str, frames: Any, copy: bool = True) -> None: ...

    def read(self, frames: Any) -> tuple[list[bytes], Message]: ...

    def unpack(self, content: Any) -> Any: ...


class Waiter(Pause):
    """One input() that waits for its line."""

    what = "waiting for input"

    def __init__(self, order: int, idents: list[bytes]) -> None:
        super().__init__()
        self.order = order
        self.idents = idents
        self._value = ""

    def answer(self, value: str) -> None:
        """End the wait. Any thread."""
        self._value = value
        self.end()

    def line(self) -> str:
        """Wait for the line.

        Raises:
            EOFError: the client sent end of file.
            KeyboardInterrupt: see `Pause.wait`.
        """
        self.wait()
        if self._value == "\x04":
            raise EOFError
        return self._value


class Stdin:
    """Matches replies with those who asked.

    A reply names the input_request in its parent header (JupyterLab, VS Code). Clients that leave
    the parent header empty (jupyter_client's `input`) answer their own oldest question.
    """

    def __init__(self, wire: StdinWire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._waiters: dict[str, Waiter] = {}

    def ask(
        self, shell: Shell, idents: list[bytes], parent: Message, prompt: str, password: bool
    ) -> str:
        """Ask the client that sent `parent`, and wait. The asking thread.

        Raises:
            StdinNotImplementedError: the request does not allow it.
            EOFError, KeyboardInterrupt: see `Waiter.line`.
        """
        if not allows_input(parent):
            raise StdinNotImplementedError(
                "input() was called, but this front end does not support input requests. "
                "Run the cell in a front end that does, or pass the value in another way."
            )
        session = self._wire.session
        message = session.msg("input_request", {"prompt": prompt, "password": password}, parent)
        waiter = Waiter(next(self._order), idents)
        with self._lock:
            self._waiters[message["msg_id"]] = waiter
        try:
            with shell.pause(waiter):
                self._wire.send("stdin", session.serialize(message, idents))
                return waiter.line()
        finally:
            with self._lock:
                del self._waiters[message["msg_id"]]

    def on_message(self, frames: Any) -> None:
        """An input_reply came in. Shell channel thread."""
        try:
            idents, message = self._wire.read(frames)
            value = self._wire.unpack(message["content"])["value"]
            if not isinstance(value, str):
                raise TypeError("the value of an input_reply must be a string")
        except Exception:
            log.warning("Dropped an unreadable message on the stdin channel", exc_info=True)
            return
        asked = message["parent_header"].get("msg_id")
        with self._lock:
            waiter = self._waiters.get(asked)
            if waiter is None and not asked:
                own = [w for w in self._waiters.values() if w.idents == idents]
                waiter = min(own, key=lambda w: w.order, default=None)
        if waiter is None:
            log.warning("Dropped an input_reply that nobody waits for")
            return
        waiter.answer(value)

    @property
    def waiting(self) -> bool:
        """Whether anybody waits for a line."""
        return bool(self._waiters)
