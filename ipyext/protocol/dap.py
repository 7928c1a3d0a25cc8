"""Debug Adapter Protocol: messages, and the frames in which they travel. Pure.

Source: https://microsoft.github.io/debug-adapter-protocol/overview (base protocol).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

# More than any source file or variable that a person looks at; less than what hurts.
MAX_LENGTH = 64 * 1024 * 1024
_MAX_HEADER = 4096
_HALF = re.compile("[\ud800-\udfff]")
_END = b"\r\n\r\n"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]|[^][{}"]+', re.DOTALL)


class FramingError(ValueError):
    """The other side does not speak DAP: what follows cannot be understood either."""


class TooDeepError(ValueError):
    """A message is nested too deeply to be read.

    Attributes:
        message: it, with null for each list and object in it.
    """

    def __init__(self, message: Message) -> None:
        super().__init__("the message is nested too deeply")
        self.message = message


class Frames:
    """Takes bytes, gives messages.

    A frame whose body is not a JSON object gives a `ValueError` in its place: the next one can be
    read all the same.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message | ValueError]:
        """The messages that are complete with `data`.

        Raises:
            FramingError: there is no way to tell where the next message begins.
        """
        self._buffer += data
        while True:
            body = self._next()
            if body is None:
                return
            yield _parse(body)

    def _next(self) -> bytes | None:
        end = self._buffer.find(_END)
        if end > _MAX_HEADER or (end < 0 and len(self._buffer) >= _MAX_HEADER + len(_END)):
            raise FramingError("no end of the header in the first 4 kB")
        if end < 0:
            return None
        start = end + len(_END)
        stop = start + _content_length(bytes(self._buffer[:end]))
        if len(self._buffer) < stop:
            return None
        body = bytes(self._buffer[start:stop])
        del self._buffer[:stop]
        return body


def _content_length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"content-length":
            text = value.strip()
            if not text.isdigit() or len(text) > 20 or int(text) > MAX_LENGTH:
                break
            return int(text)
    raise FramingError(f"no usable Content-Length in {header[:100]!r}")


def _parse(body: bytes) -> Message | ValueError:
    deep = False
    try:
        try:
            message = json.loads(body)
        except RecursionError:  # so that at least its number is known
            deep, message = True, json.loads(_flat(body.decode()))
    except ValueError as error:
        return ValueError(f"the message is not JSON: {error}")
    if not isinstance(message, dict):
        return ValueError(f"the message is not an object but {type(message).__name__}")
    return TooDeepError(message) if deep else message


def _flat(text: str) -> str:
    """JSON with null for all that is nested in it."""
    depth, kept = 0, []
    for token in _TOKEN.findall(text):
        depth -= token in ("]", "}")
        if token in ("[", "{"):
            depth += 1
            if depth == 2:
                kept.append("null")
        if depth < 2 and not (depth == 1 and token in ("]", "}")):
            kept.append(token)
    return "".join(kept)


def encode(message: Message) -> bytes:
    """The frame of a message."""
    try:
        body = _dumped(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which readers take only as an escape
        body = _dumped(message, ensure_ascii=True).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _dumped(message: Message, *, ensure_ascii: bool) -> str:
    return json.dumps(message, ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":"))


def unsendable(message: Message) -> str | None:
    """Why `encode` would fail, or None."""
    try:
        _dumped(message, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        return str(error)
    return None


def without_halves(message: Message) -> Message:
    """The same with U+FFFD for each half of a surrogate pair, for who cannot write an escape."""
    text = _dumped(message, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        found: Message = json.loads(_HALF.sub("\ufffd", text))
        return found
    return message


def response(request: Message, body: Message | None = None) -> Message:
    """A response that says yes. Its `seq` is for who sends it to give."""
    seq = request.get("seq")
    found: Message = {
        "type": "response",
        "request_seq": seq if type(seq) is int else 0,
        "success": True,
        "command": str(request.get("command", "")),
    }
    if body is not None:
        found["body"] = body
    return found


def failure(request: Message, why: str) -> Message:
    """A response that says no, and why, to a person."""
    return {
        **response(request),
        "success": False,
        "message": why,
        "body": {"error": {"id": 1, "format": why.replace("{", "(").replace("}", ")")}},
    }


def event(name: str, body: Message | None = None) -> Message:
    """An event. Its `seq` is for who sends it to give."""
    return {"type": "event", "event": name, **({} if body is None else {"body": body})}


def problem(message: Message) -> str | None:
    """Why `message` is no request, or None."""
    if message.get("type") != "request":
        return f"type is {message.get('type')!r}, expected 'request'"
    if isinstance(message.get("seq"), bool) or not isinstance(message.get("seq"), int):
        return f"seq is {message.get('seq')!r}, expected a number"
    if not isinstance(message.get("command"), str) or not message["command"]:
        return f"command is {message.get('command')!r}, expected a name"
    arguments = message.get("arguments")
    if arguments is not None and not isinstance(arguments, dict):
        return f"arguments is {type(arguments).__name__}, expected an object"
    return None
