"""What a request must hold, and what it gets where it leaves something out."""

from __future__ import annotations

from typing import Any

import pytest

from ipyext.protocol import content

GOOD: list[tuple[str, Any]] = [
    ("execute_request", {"code": "1"}),
    ("execute_request", {"code": "", "anything": "else"}),
    ("complete_request", {"code": "x", "cursor_pos": 0}),
    ("inspect_request", {"code": "x", "cursor_pos": 1, "detail_level": 1}),
    ("is_complete_request", {"code": "x"}),
    ("history_request", {"hist_access_type": "tail"}),
    ("delete_subshell_request", {"subshell_id": "a"}),
    ("create_subshell_request", {}),
    ("kernel_info_request", {}),
    ("a_request_of_another_tool", {"whatever": 1}),
]
BAD: list[tuple[str, Any, str]] = [
    ("execute_request", {}, "'code'"),
    ("execute_request", {"code": 1}, "'code' of execute_request must be a string"),
    ("execute_request", {"code": None}, "must be a string"),
    ("execute_request", {"code": ["1"]}, "must be a string"),
    ("complete_request", {"code": "x"}, "'cursor_pos'"),
    ("complete_request", {"code": "x", "cursor_pos": "1"}, "must be an integer"),
    ("complete_request", {"code": "x", "cursor_pos": True}, "must be an integer"),
    ("complete_request", {"code": "x", "cursor_pos": 1.0}, "must be an integer"),
    ("inspect_request", {"cursor_pos": 1}, "'code'"),
    ("is_complete_request", {}, "'code'"),
    ("history_request", {}, "'hist_access_type'"),
    ("delete_subshell_request", {}, "'subshell_id'"),
    ("delete_subshell_request", {"subshell_id": None}, "must be a string"),
    ("delete_subshell_request", {"subshell_id": {}}, "must be a string"),
    ("kernel_info_request", [], "must be an object"),
    ("kernel_info_request", None, "must be an object"),
    ("kernel_info_request", "text", "must be an object"),
]


@pytest.mark.parametrize(("msg_type", "found"), GOOD)
def test_good_content_has_no_problem(msg_type: str, found: Any) -> None:
    assert content.problem(msg_type, found) is None


@pytest.mark.parametrize(("msg_type", "found", "part"), BAD)
def test_a_problem_is_named(msg_type: str, found: Any, part: str) -> None:
    said = content.problem(msg_type, found)
    assert said is not None
    assert part in said
    assert msg_type in said


@pytest.mark.parametrize(
    ("msg_type", "found", "expected"),
    [
        ("execute_request", {"code": "1"}, {"code": "1", "silent": False}),
        ("execute_request", {"code": "1", "silent": True}, {"code": "1", "silent": True}),
        (
            "history_request",
            {"hist_access_type": "tail", "raw": False},
            {"hist_access_type": "tail", "raw": False, "output": False},
        ),
        ("shutdown_request", {}, {"restart": False}),
        ("shutdown_request", {"restart": True}, {"restart": True}),
        ("kernel_info_request", {}, {}),
    ],
)
def test_defaults_are_filled_in(msg_type: str, found: Any, expected: Any) -> None:
    before = dict(found)
    assert content.complete(msg_type, found) == expected
    assert found == before


def test_defaults_are_not_shared() -> None:
    content.complete("execute_request", {"code": "1"})["silent"] = True
    assert content.complete("execute_request", {"code": "1"})["silent"] is False


@pytest.mark.parametrize(
    ("msg_type", "owed", "reply"),
    [
        ("execute_request", True, "execute_reply"),
        ("create_subshell_request", True, "create_subshell_reply"),
        ("a_request_request", True, "a_request_reply"),
        ("comm_msg", False, None),
        ("request", False, None),
        ("input_reply", False, None),
    ],
)
def test_reply_types(msg_type: str, owed: bool, reply: str | None) -> None:
    assert content.is_request(msg_type) is owed
    if reply is not None:
        assert content.reply_type(msg_type) == reply


def test_an_error_has_every_field() -> None:
    assert content.error("A", "b") == {
        "status": "error",
        "ename": "A",
        "evalue": "b",
        "traceback": ["A: b"],
    }
    assert content.error("A", "b", ["c"])["traceback"] == ["c"]
