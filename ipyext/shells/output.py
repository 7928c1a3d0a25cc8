"""What one request prints, collected until the iopub thread sends it."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Any


class Output:
    """Text per stream, sent as `stream` messages with this request as parent.

    Any thread may write; a flush hands the text over and waits for nobody, and messages sent
    afterwards by the same thread come after it.

    Finalizers and signal handlers run in the middle of everything, and print: a write may come
    from within a write or a flush of the same thread. So the lock lets its owner in again, and
    whatever is between two lines here holds if both of these run in between.
    """

    def __init__(self, session: Any, parent: dict[str, Any]) -> None:
        self._session = session
        self._parent = parent
        self._lock = threading.RLock()
        self._texts: dict[Any, deque[str]] = {}
        self._hurried = False
        self.muted = False

    def write(self, stream: Any, text: str) -> int:
        """Append `text`; it is sent within the stream's `flush_interval` seconds."""
        if stream.echo is not None:
            stream.echo.write(text)
        with self._lock:
            if self.muted or not text:
                return len(text)
            waiting = self._texts.setdefault(stream, deque())
            waiting.append(text)
            first = len(waiting) == 1
        if self._hurried:
            self.flush(stream)
        elif first:
            self._flush_later(stream)
        return len(text)

    def _flush_later(self, stream: Any) -> None:
        io_loop = stream.pub_thread.io_loop

        def start_timer() -> None:
            io_loop.call_later(stream.flush_interval, lambda: self.flush(stream))

        stream.pub_thread.schedule(start_timer)

    def flush(self, stream: Any) -> None:
        """Send what was written to `stream`."""
        with self._lock:
            texts: list[str] = []
            with suppress(KeyError, IndexError):  # nothing (more) waits
                while True:
                    texts.append(self._texts[stream].popleft())
            if texts:
                # Sent under the lock: two flushes must not overtake each other.
                self._send(stream, "".join(texts))

    def _send(self, stream: Any, text: str) -> None:
        try:
            self._publish(stream, text)
        except UnicodeEncodeError:  # lone surrogates: no JSON has them
            self._publish(stream, text.encode(errors="backslashreplace").decode())

    def _publish(self, stream: Any, text: str) -> None:
        self._session.send(
            stream.pub_thread,
            "stream",
            {"name": stream.name, "text": text},
            parent=self._parent,
            ident=stream.topic,
        )

    def flush_all(self) -> None:
        """Send what was written to any stream."""
        for stream in list(self._texts):
            self.flush(stream)

    def hurry(self) -> None:
        """Send what was written, and from now on whatever is written, at once.

        The code that prints is about to print by another way, and that must come after this.
        """
        self._hurried = True
        self.flush_all()

    def mute(self) -> None:
        """Drop what is written from now on."""
        with self._lock:
            self.muted = True
            self._texts.clear()
