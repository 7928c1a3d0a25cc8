"""jupyter_client: message ids that stay unique with many senders."""

from __future__ import annotations

import hmac
import threading
from typing import Any

from jupyter_client.session import Session

from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.spec import Patch

MESSAGE_ID = Patch(
    id="session.message-id",
    target="jupyter_client.session.Session.msg_id",
    what="Counts messages under a lock.",
    why=(
        "The counter is read and then raised without a lock: two threads that send at once make "
        "equal ids and signatures, and clients reject the second message as a duplicate."
    ),
    upstream="jupyter_client/session.py",
)


def changes(ledger: Ledger) -> list[Change]:
    original: Any = vars(Session)["msg_id"]
    lock = threading.RLock()  # a signal handler may publish in the middle of this

    def msg_id(session: Session) -> Any:
        with lock:
            return original.__get__(session, type(session))

    return [SetAttribute(MESSAGE_ID, Session, "msg_id", property(msg_id, doc=original.__doc__))]


class Reader:
    """Reads requests off the wire: the signature is checked once, broken content is no obstacle."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, frames: Any) -> tuple[list[bytes], dict[str, Any]]:
        """Return the identities and the message; its content is mostly left packed, as bytes.

        Raises:
            ValueError, TypeError, KeyError, and what the unpacker raises: unreadable or unsigned.
        """
        session: Any = self._session
        idents, rest = session.feed_identities(frames, copy=False)
        try:
            message = session.deserialize(rest, content=False, copy=False)
        except (AttributeError, TypeError):
            # Without a version it counts as protocol 4, and adapting that reads the content.
            try:
                message = session.deserialize(rest, copy=False)
            except Exception:
                session.digest_history.discard(bytes(rest[0].bytes))  # for `read_header`
                raise
        else:
            if session.auth is not None:
                # What deserialize() does itself when it unpacks the content: refuse replays.
                session._add_digest(bytes(rest[0].bytes))
        return list(idents), self._checked(message)

    def read_header(self, frames: Any) -> tuple[list[bytes], dict[str, Any]]:
        """As `read`, of a message of which nothing but the header can be read.

        Raises:
            ValueError, TypeError, KeyError, and what the unpacker raises: see `read`.
        """
        session: Any = self._session
        idents, rest = session.feed_identities(frames, copy=False)
        parts = [bytes(part.bytes) for part in rest[:5]]
        if session.auth is not None:
            if parts[0] in session.digest_history:
                raise ValueError("this message has come in before")
            if not hmac.compare_digest(parts[0], session.sign(parts[1:5])):
                raise ValueError("the signature is wrong")
            session._add_digest(parts[0])
        header = session.unpack(parts[1])
        empty: dict[str, Any] = {"parent_header": {}, "metadata": {}, "content": {}, "buffers": []}
        return list(idents), self._checked({"header": header, **empty})

    @staticmethod
    def _checked(message: dict[str, Any]) -> dict[str, Any]:
        header = message["header"]
        if not isinstance(header.get("msg_id"), str) or not isinstance(header.get("msg_type"), str):
            raise TypeError("msg_id and msg_type must be strings")
        if not isinstance(message["metadata"], dict):
            message["metadata"] = {}
        return message

    def unpack(self, content: Any) -> Any:
        """Unpack the content if `read` left it packed."""
        return self._session.unpack(content) if isinstance(content, bytes) else content

    def forget(self, frames: Any) -> Any:
        """Afterwards the stock kernel can read `frames`, which we have read; returns them."""
        session: Any = self._session
        _, rest = session.feed_identities(frames, copy=False)
        session.digest_history.discard(bytes(rest[0].bytes))
        return frames
