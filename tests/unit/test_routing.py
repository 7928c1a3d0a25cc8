"""Where a message goes: the table of rules, and the regular expressions at their edges."""

from __future__ import annotations

from typing import Any

import pytest

from ipyext.magics.arguments import parse_cell_line
from ipyext.protocol.routing import (
    CellLine,
    Destination,
    Route,
    View,
    cell_body,
    cell_magic_line,
    loads_again,
    only_our_lines,
    route,
)

D = Destination


def view(busy: bool = False, **options: Any) -> View:
    return View(busy, lambda wanted: wanted == "child", parse_cell_line, **options)


def routed(msg_type: str, header: Any = None, content: Any = None, **options: Any) -> Route:
    return route(msg_type, header or {}, {} if content is None else content, view(**options))


# type, subshell_id, main is busy -> destination
TABLE = [
    ("execute_request", None, False, D.PARENT),
    ("execute_request", None, True, D.PARENT),
    ("execute_request", "child", False, D.CHILD),
    ("execute_request", "child", True, D.CHILD),
    ("execute_request", "gone", False, D.REFUSE),
    ("execute_request", "", False, D.REFUSE),
    ("execute_request", 7, True, D.REFUSE),
    ("execute_request", ["child"], True, D.REFUSE),
    ("execute_request", {"id": "child"}, True, D.REFUSE),
    ("execute_request", False, True, D.REFUSE),
    ("kernel_info_request", None, False, D.PARENT),
    ("kernel_info_request", None, True, D.INLINE),
    ("kernel_info_request", "child", True, D.CHILD),
    ("connect_request", None, True, D.INLINE),
    ("comm_info_request", None, True, D.INLINE),
    ("comm_info_request", None, False, D.PARENT),
    ("complete_request", None, False, D.PARENT),
    ("complete_request", None, True, D.SERVICE),
    ("complete_request", "child", True, D.CHILD),
    ("complete_request", "gone", True, D.REFUSE),
    ("inspect_request", None, True, D.SERVICE),
    ("is_complete_request", None, True, D.SERVICE),
    ("history_request", None, True, D.SERVICE),
    ("apply_request", None, True, D.PARENT),
    ("a_request_of_another_tool", None, True, D.PARENT),
    ("a_request_of_another_tool", "child", False, D.CHILD),
]


@pytest.mark.parametrize(("msg_type", "wanted", "busy", "expected"), TABLE)
def test_table(msg_type: str, wanted: Any, busy: bool, expected: D) -> None:
    content = {"code": "x = 1"} if msg_type == "execute_request" else {}
    found = route(msg_type, {"subshell_id": wanted}, content, view(busy))
    assert found.to is expected
    if expected is D.CHILD:
        assert found.name == "child"
    if expected is D.REFUSE:
        assert repr(wanted) in found.name


@pytest.mark.parametrize(
    "msg_type", ["kernel_info_request", "complete_request", "history_request", "connect_request"]
)
def test_nothing_is_answered_beside_main_where_that_is_switched_off(msg_type: str) -> None:
    assert routed(msg_type, busy=True, answer_while_busy=False).to is D.PARENT


@pytest.mark.parametrize("content", [None, [], "text", {"code": 1}, {"code": None}, {}])
def test_content_of_any_kind_is_routed(content: Any) -> None:
    """It is refused later, with a reply; routing must not raise."""
    assert route("execute_request", {}, content, view(True)).to is D.PARENT


COMMS = [
    # policy, subshell_id, busy -> destination
    ("auto", None, False, D.PARENT),
    ("auto", None, True, D.COMMS),
    ("auto", "child", False, D.PARENT),
    ("auto", "child", True, D.COMMS),
    ("auto", "gone", False, D.PARENT),
    ("auto", ["x"], True, D.COMMS),
    ("main", "child", True, D.PARENT),
    ("main", None, True, D.PARENT),
    ("header", "child", True, D.CHILD),
    ("header", "child", False, D.CHILD),
    ("header", "gone", True, D.PARENT),
    ("header", ["x"], False, D.PARENT),
    ("header", None, True, D.PARENT),
]


@pytest.mark.parametrize("msg_type", ["comm_open", "comm_msg", "comm_close"])
@pytest.mark.parametrize(("policy", "wanted", "busy", "expected"), COMMS)
def test_comms(msg_type: str, policy: str, wanted: Any, busy: bool, expected: D) -> None:
    found = route(msg_type, {"subshell_id": wanted}, {}, view(busy, comms=policy))
    assert found.to is expected


CELLS = [
    ("%%subshell\nx", D.FRESH, ""),
    ("%%subshell name\nx", D.NAMED, "name"),
    ("%%subshell   name  \nx", D.NAMED, "name"),
    ("%%subshell\tname\nx", D.NAMED, "name"),
    ("\n\n%%subshell name\nx", D.NAMED, "name"),
    ("  \n\t%%subshell name\nx", D.NAMED, "name"),
    ("%%subshell name\r\nx", D.NAMED, "name"),
    ("\r\n%%subshell\r\nx", D.FRESH, ""),
    ("%%subshell name --job j\nx", None, ""),  # wrong: the magic says so
    ("%%subshell --detach\nx", None, ""),
    ("%%subshell name --detach --job j\nx", None, "name"),
    ("%%subshell a b\nx", None, ""),
    ("%%subshell --nonsense\nx", None, ""),
    ("%%subshell name", None, ""),
    ("%%subshell name\n", None, ""),
    ("%%subshell name\n  \n\n", None, ""),
]


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize(("code", "expected", "name"), CELLS)
def test_cell_magic(code: str, expected: D | None, name: str, busy: bool) -> None:
    found = routed("execute_request", content={"code": code}, busy=busy)
    assert found.to is (expected or (D.SERVICE if busy else D.PARENT))
    assert found.name == name


def test_cells_that_launch() -> None:
    content = {"code": "%%subshell name --detach\nx"}
    idle = routed("execute_request", content=content)
    busy = routed("execute_request", content=content, busy=True)
    launching = routed("execute_request", content=content, busy=True, main_launches=lambda: True)
    assert idle == launching == Route(D.PARENT, "name", launches=True)
    assert busy == Route(D.SERVICE, "name", launches=True)
    assert not routed("execute_request", content={"code": "%%subshell name\nx"}).launches


NOT_OURS = [
    "%%subshellx\nx",
    "%%subshell2\nx",
    "%%subshell-a\nx",
    "%%subshells name\nx",
    "%%Subshell\nx",
    "%subshell list",
    "x = 1\n%%subshell\ny",
    "# first\n%%subshell\ny",
    "%%time\n%%subshell\nx",
    "'%%subshell'",
    "",
]


@pytest.mark.parametrize("code", NOT_OURS)
def test_what_only_looks_like_our_cell_magic(code: str) -> None:
    assert cell_magic_line(code) is None
    assert cell_body(code) == code


def test_a_child_that_is_addressed_runs_the_cell_magic_itself() -> None:
    code = {"code": "%%subshell other\nx"}
    assert route("execute_request", {"subshell_id": "child"}, code, view()).to is D.CHILD


@pytest.mark.parametrize(
    "code", ["%%subshell a\nx\ny", "\n\n%%subshell a\nx\ny", "\n  %%subshell\r\nx\ny"]
)
def test_the_body_keeps_its_line_numbers(code: str) -> None:
    body = cell_body(code)
    assert "%%subshell" not in body
    assert len(body.split("\n")) == len(code.split("\n"))
    assert body.split("\n")[-2:] == ["x", "y"]


ONLY = [
    ("%subshell", True),
    ("%subshell list", True),
    ("  %subshell list  ", True),
    ("\n\n%subshell list\n\n", True),
    ("%subshell list\n%subshell jobs", True),
    ("# what runs?\n%subshell\n", True),
    ("%subshell  # what runs?", True),
    ("%debugctl stacks", True),
    ("%subshell\r\n%debugctl stacks\r\n", True),
    ("%subshell\n\n\n%subshell", True),
    ("%debugctl?", True),
    ("?%subshell", True),
    ("%%subshell??", True),
    ("%subshell???", False),
    ("%subshell?x", False),
    ("%time?", False),
    ("%subshellx", False),
    ("%subshell-list", False),
    ("%subshells", False),
    ("%%subshell\nx", False),
    ("%subshell\nx = 1", False),
    ("x = 1\n%subshell", False),
    ("x = %subshell", False),
    ("%time %subshell", False),
    ("%matplotlib inline", False),
    ("", False),
    ("\n", False),
    ("# only a comment", False),
    ("# why\n\n%subshell list  # what runs?\n  # and then\n\n%subshell", True),
    ("# 100 % a comment", False),
    ("x % subshell", False),
]


@pytest.mark.parametrize(("code", "expected"), ONLY)
def test_only_our_lines(code: str, expected: bool) -> None:
    assert only_our_lines(code) is expected


@pytest.mark.parametrize("busy", [False, True])
def test_our_lines_run_beside_a_busy_main_and_on_an_idle_one(busy: bool) -> None:
    found = routed("execute_request", content={"code": "%subshell list"}, busy=busy)
    assert found.to is (D.SERVICE if busy else D.PARENT)


LONG = {
    "comments": "#" + " %" * 50_000 + "\nx",
    "blank lines": "# %\n" + "\n" * 200 + "x",
    "lines of spaces": " \n" * 200 + "%x",
    "spaces": " " * 50_000 + "%x",
    "our lines": "%subshell\n" * 2_000 + "x",
    "a common cell": "# 5 %\n\n\n" * 20 + "def f():\n" + "    x = 5 % 2\n\n" * 200,
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("case", LONG)
def test_no_cell_takes_long_to_route(case: str) -> None:
    """The shell channel thread reads every cell, and a regular expression holds the GIL."""
    assert only_our_lines(LONG[case]) is False


@pytest.mark.timeout(5)
def test_no_cell_takes_long_to_look_for_the_cell_magic() -> None:
    assert cell_magic_line(" \n" * 5_000 + "%%subshel") is None


def test_cell_lines() -> None:
    assert parse_cell_line("") == CellLine()
    assert parse_cell_line("a") == CellLine("a")
    assert parse_cell_line("a --detach") == CellLine("a", detach=True)
    assert parse_cell_line("--detach --job j") == CellLine(None, detach=True)
    assert parse_cell_line("--job j") is None
    assert parse_cell_line("a b") is None
    assert parse_cell_line("--what") is None
    assert parse_cell_line("--help") is None
    assert parse_cell_line("a # it's") == CellLine("a")


LOAD, UNLOAD = "%load_ext ipyext", "1\n %unload_ext ipyext "


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], False),
        ([LOAD], False),
        ([UNLOAD], False),  # it would find no such magic later
        ([LOAD, "x = 1", UNLOAD], False),
        ([UNLOAD, LOAD], True),
        ([f"{UNLOAD}\n{LOAD}"], True),
        ([LOAD, UNLOAD, "x = 1", LOAD, "y = 2"], True),
        ([UNLOAD, LOAD, UNLOAD], False),
        (["%unload_ext other", LOAD], False),
        (["print('%unload_ext ipyext')", LOAD], False),
    ],
)
def test_cells_behind_an_unload_and_a_load(cells: list[str], expected: bool) -> None:
    assert loads_again(cells) is expected
    found = routed(
        "execute_request", content={"code": "%%subshell a\n1"}, busy=True, before=lambda: cells
    )
    assert found.to is (D.PARENT if expected else D.NAMED)
