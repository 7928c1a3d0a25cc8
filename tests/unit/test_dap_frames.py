"""Frames of the Debug Adapter Protocol, however the network cuts them, and its messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ipyext.protocol import dap
from ipyext.protocol.dap import MAX_LENGTH, Frames, FramingError
from tests.dap_schema import check

MESSAGES: list[dict[str, Any]] = [
    {"seq": 1, "type": "request", "command": "threads"},
    {"seq": 2, "type": "event", "event": "output", "body": {"output": "ä → 🐍 \0 \r\n\r\n"}},
    {},
    {"text": "Content-Length: 3\r\n\r\n{}"},
]


def read(*parts: bytes) -> list[Any]:
    frames = Frames()
    return [message for part in parts for message in frames.feed(part)]


def frame(body: bytes, header: bytes = b"Content-Length: %d") -> bytes:
    return (header % len(body) if b"%d" in header else header) + b"\r\n\r\n" + body


def test_every_split() -> None:
    data = b"".join(map(dap.encode, MESSAGES))
    for at in range(len(data) + 1):
        assert read(data[:at], data[at:]) == MESSAGES
    assert read(*(bytes([byte]) for byte in data)) == MESSAGES


def test_messages_come_as_soon_as_they_are_complete() -> None:
    frames = Frames()
    first, second = dap.encode({"a": 1}), dap.encode({"b": 2})
    assert list(frames.feed(first + second[:-1])) == [{"a": 1}]
    assert list(frames.feed(b"")) == []
    assert list(frames.feed(second[-1:])) == [{"b": 2}]


def test_the_reader_may_leave_messages_for_later() -> None:
    frames = Frames()
    data = dap.encode({"a": 1}) + dap.encode({"b": 2})
    assert next(frames.feed(data)) == {"a": 1}
    assert list(frames.feed(b"")) == [{"b": 2}]


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: %d",
        b"content-length:%d",
        b"CONTENT-LENGTH :   %d  ",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d",
        b"Content-Length: %d\r\nX: y",
        b"no colon here\r\nContent-Length: %d",
        b"\xff\xfe: \x80\r\nContent-Length: %d",
    ],
)
def test_headers(header: bytes) -> None:
    assert read(frame(b'{"a": 1}', header)) == [{"a": 1}]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost",
        b"Content-Length: ",
        b"Content-Length: -2",
        b"Content-Length: 1.5",
        b"Content-Length: 0x10",
        b"Content-Length: two",
        b"Content-Length: \xb2",
        b"Content-Length: " + b"9" * 4000,
        b"Content-Length: %d" % (MAX_LENGTH + 1),
        b"Content-Length: x\r\nContent-Length: 2",
    ],
)
def test_unusable_headers(header: bytes) -> None:
    data = header + b"\r\n\r\n{}"
    with pytest.raises(FramingError):
        read(data)
    with pytest.raises(FramingError):
        read(*(bytes([byte]) for byte in data))


@pytest.mark.parametrize("length", [4095, 4096])
def test_a_long_header_is_read(length: int) -> None:
    header = b"Content-Length: 2\r\nX: "
    data = header + b"y" * (length - len(header)) + b"\r\n\r\n{}"
    for at in (1, length, length + 1, length + 3, length + 4, len(data)):
        assert read(data[:at], data[at:]) == [{}]


def test_a_header_without_end_is_not_kept() -> None:
    header = b"Content-Length: 2\r\nX: "
    data = header + b"y" * (4097 - len(header)) + b"\r\n\r\n{}"
    for at in (1, 4097, 4099, 4100, len(data)):
        with pytest.raises(FramingError, match="4 kB"):
            read(data[:at], data[at:])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b"\xff\xfe{}",
        b'{"a": "\xff"}',
        b'{"a": %s}' % (b"9" * 10_000),
        b"[" * 200_000,
    ],
)
def test_the_next_frame_is_read_after_garbage(body: bytes) -> None:
    found = read(frame(body) + dap.encode({"a": 1}))
    assert isinstance(found[0], ValueError)
    assert not isinstance(found[0], FramingError)
    assert found[1:] == [{"a": 1}]


def test_what_is_nested_too_deeply() -> None:
    """What is not nested is known all the same."""
    deep = b"[" * 200_000 + b'{"seq": 2}' + b"]" * 200_000
    body = b'{"a": %s, "seq": 7, "command": "]{\\"", "arguments": {"seq": 1}}' % deep
    last = dap.encode({"seq": 8})
    found, after = dap.Frames().feed(b"Content-Length: %d\r\n\r\n%s%s" % (len(body), body, last))
    assert isinstance(found, dap.TooDeepError)
    assert found.message == {"a": None, "seq": 7, "command": ']{"', "arguments": None}
    assert after == {"seq": 8}


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"seq": 1, "a": ' + b"[" * 200_000])
def test_what_is_nested_too_deeply_and_no_json(body: bytes) -> None:
    (found,) = dap.Frames().feed(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    assert isinstance(found, ValueError)
    assert not isinstance(found, dap.TooDeepError)


def test_half_a_surrogate_pair_survives() -> None:
    message = {"output": "before \ud83d after ä"}
    data = dap.encode(message)
    body = data.split(b"\r\n\r\n", 1)[1]
    assert json.loads(body.decode("utf-8")) == message  # readers are strict, debugpy's too
    assert read(data) == [message]


def test_the_length_counts_bytes() -> None:
    assert dap.encode({"a": "ä"}) == b'Content-Length: 10\r\n\r\n{"a":"\xc3\xa4"}'


def test_response() -> None:
    request = {"seq": 7, "type": "request", "command": "threads", "arguments": {}}
    body = {"threads": [{"id": 1, "name": "main"}]}
    assert dap.response(request, body) == {
        "type": "response",
        "request_seq": 7,
        "success": True,
        "command": "threads",
        "body": body,
    }
    check({"seq": 1, **dap.response(request, body)})
    assert "body" not in dap.response(request)


@pytest.mark.parametrize(
    "request_",
    [{}, {"seq": "1", "command": 3}, {"seq": True, "command": None}, {"seq": 1.5, "command": []}],
)
def test_failure_of_anything(request_: dict[str, Any]) -> None:
    found = check({"seq": 1, **dap.failure(request_, "because of {this}")})
    assert found["message"] == "because of {this}"
    assert found["body"]["error"]["format"] == "because of (this)"  # braces would be variables
    assert found["request_seq"] == 0
    assert isinstance(found["command"], str)


def test_event() -> None:
    assert dap.event("initialized") == {"type": "event", "event": "initialized"}
    assert dap.event("thread", {"threadId": 1})["body"] == {"threadId": 1}
    check({"seq": 1, **dap.event("initialized")})


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"type": "response"}, "type"),
        ({"type": None}, "type"),
        ({"seq": None}, "seq"),
        ({"seq": "1"}, "seq"),
        ({"seq": True}, "seq"),
        ({"seq": 1.0}, "seq"),
        ({"command": None}, "command"),
        ({"command": ""}, "command"),
        ({"command": ["a"]}, "command"),
        ({"arguments": []}, "arguments"),
        ({"arguments": "text"}, "arguments"),
        ({}, None),
        ({"arguments": None}, None),
        ({"arguments": {}}, None),
    ],
)
def test_problem(change: dict[str, Any], word: str | None) -> None:
    found = dap.problem({"seq": 1, "type": "request", "command": "threads", **change})
    if word is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith(word)
