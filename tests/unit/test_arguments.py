"""The arguments of %subshell and %%subshell, and what is said about wrong ones."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from ipyext.magics.arguments import ACTIONS, cell_arguments, parse, parse_cell_line, parse_line

GOOD = [
    ("", "list", []),
    ("list", "list", []),
    ("create", "create", []),
    ("create worker", "create", ["worker"]),
    ("delete a", "delete", ["a"]),
    ("delete a b c", "delete", ["a", "b", "c"]),
    ("delete --all", "delete", []),
    ("rename a b", "rename", ["a", "b"]),
    ("interrupt", "interrupt", []),
    ("interrupt a", "interrupt", ["a"]),
    ("info", "info", []),
    ("info a", "info", ["a"]),
    ("jobs", "jobs", []),
    ("patches", "patches", []),
    ("  list  ", "list", []),
    ("list # all", "list", []),
    ("# all", "list", []),
    ("info a  # it's", "info", ["a"]),
]


@pytest.mark.parametrize(("line", "action", "names"), GOOD)
def test_good_lines(line: str, action: str, names: list[str]) -> None:
    found = parse_line(line)
    assert (found.action, found.names) == (action, names)


BAD = [
    ("creat", "Did you mean 'create'?"),
    ("kill", "Actions: create, list"),
    ("list a", "Usage: %subshell list"),
    ("create a b", "Usage: %subshell create"),
    ("delete", "Usage: %subshell delete"),
    ("rename a", "Usage: %subshell rename"),
    ("rename a b c", "Usage: %subshell rename"),
    ("interrupt a b", "Usage: %subshell interrupt"),
    ("jobs a", "Usage: %subshell jobs"),
    ("list --all", "--all goes with %subshell delete only"),
    ("--nonsense", "%subshell?"),
    ("delete --nonsense", "%subshell?"),
    ("delete 'open", "%subshell?"),
]


@pytest.mark.parametrize(("line", "part"), BAD)
def test_bad_lines(line: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_line(line)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_described(action: str) -> None:
    assert ACTIONS[action].startswith(action)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_its_method(action: str) -> None:
    from ipyext.magics.subshell import SubshellMagics

    assert callable(getattr(SubshellMagics, f"_{action}"))


def test_bad_cell_lines_say_so() -> None:
    for line in ("a b", "--what", "a 'open"):
        with pytest.raises(UsageError) as caught:
            parse(cell_arguments, line)
        assert "%%subshell" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert parse_cell_line(line) is None
