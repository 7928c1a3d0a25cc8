"""Every request of the messaging document, and messages that no client should send."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

TARGET = {"target_name": "nobody", "comm_id": "c1", "data": {}}

SHELL_REQUESTS: dict[str, dict[str, Any]] = {
    "execute_request": {"code": "1 + 1", "silent": False},
    "complete_request": {"code": "pri", "cursor_pos": 3},
    "inspect_request": {"code": "print", "cursor_pos": 5, "detail_level": 0},
    "is_complete_request": {"code": "for"},
    "history_request": {"hist_access_type": "tail", "n": 3, "output": False, "raw": True},
    "comm_info_request": {},
    "kernel_info_request": {},
    "connect_request": {},
}
COMM_MESSAGES: dict[str, dict[str, Any]] = {
    "comm_open": TARGET,
    "comm_msg": {"comm_id": "c1", "data": {}},
    "comm_close": {"comm_id": "c1", "data": {}},
}
CONTROL_REQUESTS: dict[str, dict[str, Any]] = {
    **SHELL_REQUESTS,
    "create_subshell_request": {},
    "list_subshell_request": {},
    "usage_request": {},
    "debug_request": {"type": "request", "seq": 1, "command": "debugInfo", "arguments": {}},
}


class Expect(Enum):
    ERROR = "one error reply"
    ANY = "one reply, whatever its status"
    SILENCE = "busy and idle, but no reply: it is no request"
    DROPPED = "nothing at all: nobody could be answered"


@dataclass(frozen=True)
class Malformed:
    """A message that a client should not send; `header` goes on top of a good header."""

    msg_type: Any
    content: Any = field(default_factory=dict)
    expect: Expect = Expect.ERROR
    header: dict[str, Any] = field(default_factory=dict)
    without: str | None = None  # a header field to leave out
    metadata: bytes = b"{}"
    parent: bytes = b"{}"
    only: str | None = None  # a channel


def _execute(content: Any, **options: Any) -> Malformed:
    return Malformed("execute_request", content, **options)


GOOD = {"code": "pass", "silent": False}
ANY, SILENCE, DROPPED = Expect.ANY, Expect.SILENCE, Expect.DROPPED

MALFORMED: dict[str, Malformed] = {
    # the content
    "execute without code": _execute({"silent": False}),
    "execute, code a list": _execute({"code": ["pass"]}),
    "execute, code null": _execute({"code": None}),
    "execute, code a number": _execute({"code": 1}),
    "execute, content a list": _execute([]),
    "execute, content null": _execute(None),
    "execute, content text": _execute("pass"),
    "execute, content a number": _execute(3),
    "execute, content not JSON": _execute(b"{code: pass"),
    "execute, content empty": _execute(b""),
    "execute, content not UTF-8": _execute(b'{"code": "\xff"}'),
    "execute without silent": _execute({"code": "pass"}, expect=ANY),
    "execute, expressions a list": _execute({**GOOD, "user_expressions": ["1"]}, expect=ANY),
    "execute, an expression a number": _execute({**GOOD, "user_expressions": {"a": 1}}, expect=ANY),
    "execute, flags of wrong types": _execute(
        {**GOOD, "store_history": "yes", "stop_on_error": [], "allow_stdin": {}}, expect=ANY
    ),
    "complete without code": Malformed("complete_request", {"cursor_pos": 0}),
    "complete without position": Malformed("complete_request", {"code": "pri"}),
    "complete, position text": Malformed("complete_request", {"code": "pri", "cursor_pos": "3"}),
    "complete, position negative": Malformed(
        "complete_request", {"code": "pri", "cursor_pos": -7}, ANY
    ),
    "complete beyond the end": Malformed(
        "complete_request", {"code": "pri", "cursor_pos": 99}, ANY
    ),
    "inspect without code": Malformed("inspect_request", {"cursor_pos": 0}),
    "inspect, position a list": Malformed("inspect_request", {"code": "id", "cursor_pos": [1]}),
    "inspect, level text": Malformed(
        "inspect_request", {"code": "id", "cursor_pos": 2, "detail_level": "all"}, ANY
    ),
    "is_complete without code": Malformed("is_complete_request"),
    "is_complete, code an object": Malformed("is_complete_request", {"code": {}}),
    "history without type": Malformed("history_request"),
    "history, type a list": Malformed("history_request", {"hist_access_type": ["tail"]}),
    "history, type unknown": Malformed("history_request", {"hist_access_type": "all"}, ANY),
    "history, session text": Malformed(
        "history_request",
        {"hist_access_type": "range", "session": "x", "start": "a", "stop": []},
        ANY,
    ),
    "comm_info, name a list": Malformed("comm_info_request", {"target_name": []}, ANY),
    "comm_info, content a list": Malformed("comm_info_request", []),
    "kernel_info, content a list": Malformed("kernel_info_request", []),
    "connect, content text": Malformed("connect_request", "now"),
    "shutdown, content a list": Malformed("shutdown_request", []),
    # the type
    "unknown request": Malformed("make_tea_request"),
    "unknown request, content a list": Malformed("make_tea_request", []),
    "unknown message": Malformed("make_tea", expect=SILENCE),
    "a reply": Malformed("execute_reply", {"status": "ok"}, SILENCE),
    "a status": Malformed("status", {"execution_state": "idle"}, SILENCE),
    "input_reply": Malformed("input_reply", {"value": "x"}, SILENCE),
    "type empty": Malformed("", expect=SILENCE),
    "type private": Malformed("__class___request"),
    "type a list": Malformed(["execute_request"], GOOD, DROPPED),
    # comms
    "comm_msg, unknown comm": Malformed("comm_msg", {"comm_id": "gone", "data": {}}, SILENCE),
    "comm_close, unknown comm": Malformed("comm_close", {"comm_id": "gone", "data": {}}, SILENCE),
    "comm_open, unknown target": Malformed("comm_open", TARGET, SILENCE),
    "comm_open, nothing": Malformed("comm_open", {}, SILENCE),
    "comm_msg, nothing": Malformed("comm_msg", {}, SILENCE),
    "comm_msg, content a list": Malformed("comm_msg", [], SILENCE),
    "comm_msg, content not JSON": Malformed("comm_msg", b"{", SILENCE),
    # the header and the rest
    "id a number": _execute(GOOD, header={"msg_id": 7}, expect=DROPPED),
    "without id": _execute(GOOD, without="msg_id", expect=DROPPED),
    "without type": _execute(GOOD, without="msg_type", expect=DROPPED),
    "without session": _execute(GOOD, without="session", expect=ANY),
    "without date": _execute(GOOD, without="date", expect=ANY),
    "date not a date": _execute(GOOD, header={"date": "yesterday"}, expect=ANY),
    "without version": _execute(GOOD, without="version", expect=ANY),
    "session a list": _execute(GOOD, header={"session": []}, expect=ANY),
    "metadata a list": _execute(GOOD, metadata=b"[]", expect=ANY),
    "metadata text": _execute(GOOD, metadata=b'"x"', expect=ANY),
    "metadata null": _execute(GOOD, metadata=b"null", expect=ANY),
    "parent a list": _execute(GOOD, parent=b"[]", expect=ANY),
    "parent null": _execute(GOOD, parent=b"null", expect=ANY),
    "parent not JSON": _execute(GOOD, parent=b"{"),
    "metadata not JSON": _execute(GOOD, metadata=b"{bad"),
    "version a number": _execute(GOOD, header={"version": 5}),
    # subshells, in the header
    "subshell a list": _execute(GOOD, header={"subshell_id": ["a"]}, only="shell"),
    "subshell an object": _execute(GOOD, header={"subshell_id": {"a": 1}}, only="shell"),
    "subshell a number": _execute(GOOD, header={"subshell_id": 0}, only="shell"),
    "subshell false": _execute(GOOD, header={"subshell_id": False}, only="shell"),
    "subshell empty": _execute(GOOD, header={"subshell_id": ""}, only="shell"),
    "subshell unknown": _execute(GOOD, header={"subshell_id": "nobody"}, only="shell"),
    "subshell unknown, kernel_info": Malformed(
        "kernel_info_request", header={"subshell_id": "nobody"}, only="shell"
    ),
    "subshell unknown, unknown request": Malformed(
        "make_tea_request", header={"subshell_id": "nobody"}, only="shell"
    ),
    "subshell unknown, content a list": _execute([], header={"subshell_id": "x"}, only="shell"),
    "subshell unknown, comm": Malformed(
        "comm_msg", {"comm_id": "gone"}, SILENCE, {"subshell_id": "nobody"}
    ),
    "subshell a list, on control": _execute(
        GOOD, header={"subshell_id": []}, expect=ANY, only="control"
    ),
    # subshells, on control
    "delete without id": Malformed("delete_subshell_request", only="control"),
    "delete null": Malformed("delete_subshell_request", {"subshell_id": None}, only="control"),
    "delete a list": Malformed("delete_subshell_request", {"subshell_id": ["a"]}, only="control"),
    "delete an object": Malformed("delete_subshell_request", {"subshell_id": {}}, only="control"),
    "delete unknown": Malformed("delete_subshell_request", {"subshell_id": "x"}, only="control"),
    "delete, content a list": Malformed("delete_subshell_request", [], only="control"),
    "create, content a list": Malformed("create_subshell_request", [], only="control"),
    "create, name impossible": Malformed(
        "create_subshell_request", {"name": "a b"}, only="control"
    ),
    "create, name reserved": Malformed("create_subshell_request", {"name": "main"}, only="control"),
    "create, name a list": Malformed("create_subshell_request", {"name": []}, ANY, only="control"),
    "list, content text": Malformed("list_subshell_request", "all", only="control"),
    "interrupt unknown": Malformed("interrupt_request", {"subshell_id": "x"}, only="control"),
    "interrupt a list": Malformed("interrupt_request", {"subshell_id": ["x"]}, only="control"),
    "interrupt, content a list": Malformed("interrupt_request", [], only="control"),
    "output unknown": Malformed("output_request", {"msg_id": "x"}, only="control"),
    "output, id a number": Malformed("output_request", {"msg_id": 1}, only="control"),
    "output, since text": Malformed("output_request", {"since": "1h"}, only="control"),
    "output, since true": Malformed("output_request", {"since": True}, only="control"),
    "output, content a list": Malformed("output_request", [], only="control"),
    "usage, content a list": Malformed("usage_request", [], only="control"),
    "debug, nothing": Malformed("debug_request", {}, ANY, only="control"),
    "debug, content a list": Malformed("debug_request", [], only="control"),
    "debug, unknown command": Malformed(
        "debug_request", {"type": "request", "seq": 1, "command": "tea"}, ANY, only="control"
    ),
}


def cases(channel: str) -> list[str]:
    """Names of the messages to send on a channel."""
    return [name for name, bad in MALFORMED.items() if bad.only in (None, channel)]
