"""One request: answered exactly once, whatever happens to the shell that works on it (G1)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from ipyext.errors import SubshellDeletedError
from ipyext.protocol import content as contents
from ipyext.shells.output import Output
from ipyext.shells.waiting import Pause

if TYPE_CHECKING:
    from ipyext.shells.shell import Place, Shell

Message = dict[str, Any]


class Wire(Protocol):
    """Where messages leave; the boundary's `Host`."""

    session: Any

    def publish(
        self, msg_type: str, content: Message, parent: Message, *, hurry: bool = True
    ) -> None: ...

    def send(self, channel: str, frames: Any, copy: bool = True) -> None: ...


Asker = Callable[["Request", str, bool], str]


def allows_input(message: Message) -> bool:
    """Whether the client that sent this request takes questions."""
    content = message.get("content")
    return isinstance(content, dict) and bool(content.get("allow_stdin", False))


class Request:
    """A request on its way through the kernel.

    Any thread may call any method. The thread that works on a request and the one that deletes
    its shell both try to finish it; under the lock, the first one does and the other one's
    messages go nowhere.

    Attributes:
        channel: ``"shell"`` or ``"control"``.
        frames: the message as it came in, to hand it to the stock kernel unopened.
        idents: routing identities of the client.
        message: header, parent_header, metadata, content, buffers.
        shell: who works on it.
        shield: keeps interrupts away while a reply is sent; needed on main only.
        own_subshell: it is a ``%%subshell`` cell that was routed to the child that it names.
        on_main: its cell runs on the main thread, as soon as that is free.
        launches: it is a ``%%subshell --detach`` cell.
        place: kept for the cell that it is to launch, in the order of what comes in.
    """

    def __init__(
        self,
        wire: Wire,
        channel: str,
        frames: Sequence[Any],
        idents: list[bytes],
        message: Message,
        asker: Asker | None = None,
    ) -> None:
        self.channel = channel
        self.frames = frames
        self.idents = idents
        self.message = message
        self.shell: Shell | None = None
        self.own_subshell = False
        self.on_main = False
        self.launches = False
        self.place: Place | None = None
        self.output = Output(wire.session, message)
        self.stream = ReplyStream(self)
        self._wire = wire
        self._asker = asker
        self.shield: Callable[[], AbstractContextManager[None]] = nullcontext
        self._lock = threading.RLock()
        self._begun = False
        self._replied = False
        self._finished = False

    @property
    def type(self) -> str:
        return str(self.message["header"]["msg_type"])

    @property
    def msg_id(self) -> str:
        return str(self.message["header"]["msg_id"])

    @property
    def content(self) -> Any:
        return self.message["content"]

    @property
    def code(self) -> str:
        """What runs, for people: the code of a cell, else the type of the request."""
        code = self.content.get("code") if isinstance(self.content, dict) else None
        return code if self.type == "execute_request" and isinstance(code, str) else self.type

    @property
    def comm_id(self) -> Any:
        """The comm that a comm message is for."""
        content = self.content
        if not self.type.startswith("comm_") or not isinstance(content, dict):
            return None
        return content.get("comm_id")

    @property
    def finished(self) -> bool:
        return self._finished

    @property
    def replied(self) -> bool:
        return self._replied

    @property
    def muted(self) -> bool:
        """Its shell was deleted: what it still publishes goes nowhere."""
        return self.output.muted

    @property
    def interactive(self) -> Any | None:
        """The InteractiveShell of the child that works on this; None for main's."""
        return None if self.shell is None else self.shell.interactive

    # -- what the calling code prints and asks (see ipyext_patches.ports.Context) ---------------

    def write(self, stream: Any, text: str) -> int:
        return self.output.write(stream, text)

    def flush(self, stream: Any) -> None:
        self.output.flush(stream)

    @property
    def can_ask(self) -> bool:
        return allows_input(self.message)

    def ask(self, prompt: str, password: bool) -> str:
        if self._asker is None:
            raise RuntimeError("input() has nobody to ask here")
        return self._asker(self, prompt, password)

    def sleep(self, seconds: float) -> None:
        """Sleep so that an interrupt of the shell ends it."""
        shell = self.shell
        pause = Pause()
        if shell is None:
            pause.wait(seconds)
        else:
            with shell.pause(pause):
                pause.wait(seconds)

    # -- answering -----------------------------------------------------------------------------

    def begin(self, *, hurry: bool = True) -> None:
        """Publish busy, once; without `hurry`, together with what is published next."""
        with self._lock:
            if not self._begun and not self._finished:
                self._status("busy", hurry=hurry)
                self._begun = True

    def reply(self, content: Message, metadata: Message | None = None) -> None:
        """Send the reply, unless one was sent."""
        with self._lock:
            if self._replied or self._finished or not contents.is_request(self.type):
                return
            self._wire.session.send(
                self.stream,
                contents.reply_type(self.type),
                content,
                parent=self.message,
                ident=self.idents,
                metadata=metadata,
            )

    def fail(self, ename: str, evalue: str, traceback: list[str] | None = None) -> None:
        """Send an error reply, unless a reply was sent. A cell shows the error, too."""
        content = contents.error(ename, evalue, traceback)
        with self._lock:
            if self._replied or self._finished:
                return
            if self.type == "execute_request":
                shown = {key: content[key] for key in ("ename", "evalue", "traceback")}
                self._wire.publish("error", shown, self.message)
            self.reply(content, {"status": "error"})

    def finish(self) -> None:
        """Afterwards the request has had its reply and its idle. Once; later calls do nothing."""
        with self._lock:
            if self._finished:
                return
            if not self._replied:
                self.fail("NoReplyError", f"the kernel had no reply to {self.type}")
            if self.place is not None:
                self.place.give_up()  # it was aborted, interrupted, or wrong
            self.output.flush_all()
            self._status("idle")
            self._finished = True
            self.frames = ()  # threads that it has started may know it for long

    def refuse(self, ename: str, evalue: str) -> None:
        """Answer without working on it: busy, an error reply, idle."""
        self.begin()
        self.fail(ename, evalue)
        self.finish()

    def delete(self, label: str) -> None:
        """Its shell is gone: error reply and idle now, and silence from who still works on it."""
        with self._lock:
            if not self._finished:
                self.refuse(SubshellDeletedError.__name__, str(SubshellDeletedError(label)))
        self.output.mute()

    def send(self, frames: Any, copy: bool = True) -> None:
        """Send a serialized reply, unless the request is finished."""
        with self.shield(), self._lock:
            if not self._finished:
                self._wire.send(self.channel, frames, copy)
                self._replied = True

    def _status(self, state: str, *, hurry: bool = True) -> None:
        self._wire.publish("status", {"execution_state": state}, self.message, hurry=hurry)


class ReplyStream:
    """What handlers get as `stream`: `Session.send` needs no more than `send_multipart`."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def send_multipart(self, frames: Any, *args: Any, copy: bool = True, **kwargs: Any) -> None:
        self._request.send(frames, copy)

    def send(self, frame: Any, *args: Any, **kwargs: Any) -> None:
        self._request.send([frame])

    def flush(self, *args: Any, **kwargs: Any) -> None:
        """Nothing waits here."""
