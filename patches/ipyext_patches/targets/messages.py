"""jupyter_client: message ids that stay unique with many senders."""

from __future__ import annotations

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
    lock = threading.Lock()

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
            message = session.deserialize(rest, copy=False)
        else:
            if session.auth is not None:
                # What deserialize() does itself when it unpacks the content: refuse replays.
                session._add_digest(bytes(rest[0].bytes))
        header = message["header"]
        if not isinstance(header.get("msg_id"), str) or not isinstance(header.get("msg_type"), str):
            raise TypeError("msg_id and msg_type must be strings")
        if not isinstance(message["metadata"], dict):
            message["metadata"] = {}
        return list(idents), message

    def unpack(self, content: Any) -> Any:
        """Unpack the content if `read` left it packed."""
        return self._session.unpack(content) if isinstance(content, bytes) else content

    def forget(self, frames: Any) -> Any:
        """Afterwards the stock kernel can read `frames`, which we have read; returns them."""
        session: Any = self._session
        _, rest = session.feed_identities(frames, copy=False)
        session.digest_history.discard(bytes(rest[0].bytes))
        return frames
