"""The arguments of %subshell and %%subshell, and what is said about wrong ones."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

import pytest
from IPython.core.error import UsageError

from ipyext.magics.arguments import ACTIONS, SUBSHELL, parse, parse_cell_line, parse_moment
from ipyext.protocol.routing import CellLine

GOOD = [
    ("", "list", {}),
    ("list", "list", {}),
    ("create", "create", {"name": None}),
    ("create worker", "create", {"name": "worker"}),
    ("delete a", "delete", {"names": ["a"], "all": False}),
    ("delete a b c", "delete", {"names": ["a", "b", "c"]}),
    ("delete --all", "delete", {"names": [], "all": True}),
    ("rename a b", "rename", {"name": "a", "new": "b"}),
    ("interrupt", "interrupt", {"name": None}),
    ("interrupt a", "interrupt", {"name": "a"}),
    ("info", "info", {"name": None}),
    ("info a", "info", {"name": "a"}),
    ("history\ta", "history", {"name": "a"}),
    ("jobs", "jobs", {}),
    ("patches", "patches", {}),
    ("  list  ", "list", {}),
    ("list # all", "list", {}),
    ("# all", "list", {}),
    ("info a  # it's", "info", {"name": "a"}),
    ("info a  # --help", "info", {"name": "a"}),
]


@pytest.mark.parametrize(("line", "action", "expected"), GOOD)
def test_good_lines(line: str, action: str, expected: dict[str, object]) -> None:
    found, arguments = SUBSHELL.parse(line)
    assert found == action
    assert expected.items() <= vars(arguments).items()
    assert arguments.help is None


BAD = [
    ("creat", "Did you mean 'create'?"),
    ("kill", "Actions: list, create"),
    ("list a", "Usage: %subshell list"),
    ("create a b", "Usage: %subshell create"),
    ("delete", "Usage: %subshell delete"),
    ("rename a", "Usage: %subshell rename"),
    ("rename a b c", "Usage: %subshell rename"),
    ("interrupt a b", "Usage: %subshell interrupt"),
    ("jobs a", "Usage: %subshell jobs"),
    ("list --all", "Usage: %subshell list"),
    ("delete a --all", "Usage: %subshell delete NAME|ID...|--all"),
    ("output a 1", "Usage: %subshell output"),
    ("output 1 2 --last", "Usage: %subshell output"),
    ("output 1 --all", "Usage: %subshell output"),
    ("output --since", "Usage: %subshell output"),
    ("output --since soon", "Use a number with s, m, h or d"),
    ("output --since 99999999999999999999d", "is no time"),
    ("output --since 1000000d", "is no time"),
    ("--nonsense", "See %subshell?"),
    ("delete --nonsense", "Usage: %subshell delete"),
    ("delete 'open", "Usage: %subshell delete"),
    ("help delet", "Did you mean 'delete'?"),
]


@pytest.mark.parametrize(("line", "part"), BAD)
def test_bad_lines(line: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        SUBSHELL.parse(line)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_help_and_a_method(action: str) -> None:
    from ipyext.magics.subshell import SubshellMagics

    assert callable(getattr(SubshellMagics, f"_{action}"))
    for line in (f"{action} --help", f"{action} -h", f"help {action}", f"--help {action}  # what?"):
        text = SUBSHELL.parse(line)[1].help
        assert text == SUBSHELL.help_of(action)
        assert text.startswith(f"%subshell {action}")
    assert f"\n%subshell {action} " in SUBSHELL.overview()


@pytest.mark.parametrize("line", ["--help", "-h", "help", "help  # what?"])
def test_help(line: str) -> None:
    assert SUBSHELL.parse(line)[1].help == SUBSHELL.overview()


def test_help_names_what_an_action_takes() -> None:
    text = SUBSHELL.help_of("delete")
    assert "\n  NAME|ID " in text
    assert "\n  --all " in text
    assert "`" not in SUBSHELL.help_of("create")


def test_bad_cell_lines_say_so() -> None:
    for line in ("a b", "--what", "a 'open"):
        with pytest.raises(UsageError) as caught:
            parse(line)
        assert "%%subshell" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert parse_cell_line(line) is None


OUTPUT = [
    ("output", None, None, False),
    ("output look", None, "look", False),
    ("output 3", 3, None, False),
    ("output 3 look", 3, "look", False),
    ("output --last", None, None, True),
    ("output --last look", None, "look", True),
    ("output --last 12345678", None, "12345678", True),
    ("output look --last", None, "look", True),
    ("output 3 --since 5m look", 3, "look", False),
]


@pytest.mark.parametrize(("line", "count", "name", "last"), OUTPUT)
def test_output(line: str, count: int | None, name: str | None, last: bool) -> None:
    found = SUBSHELL.parse(line)[1]
    assert (found.count, found.name, found.last) == (count, name, last)
    assert (found.since is None) == ("--since" not in line)


NOW = datetime(2026, 11, 25, 14, 30).timestamp()
MOMENTS = [
    ("90s", NOW - 90),
    ("1.5m", NOW - 90),
    ("10min", NOW - 600),
    ("2h", NOW - 7200),
    ("1d", NOW - 86400),
    ("9:05", datetime(2026, 11, 25, 9, 5).timestamp()),
    ("14:30:00", NOW),
    ("14:31", datetime(2026, 11, 24, 14, 31).timestamp()),
    ("2026-11-01T10:00", datetime(2026, 11, 1, 10).timestamp()),
    ("2026-11-01", datetime(2026, 11, 1).timestamp()),
]


@pytest.mark.parametrize(("text", "moment"), MOMENTS)
def test_moments(text: str, moment: float) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "25:00", "5 m", "2026-13-01", "1e3s"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        parse_moment(text, NOW)


def test_lines_are_read_in_several_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the shell channel thread for routing, by the magic itself, and by the service thread."""
    read, others = ArgumentParser.parse_known_args, [None]

    def meanwhile(parser: Any, *args: Any, **options: Any) -> Any:
        if others:
            others.pop()
            assert parse_cell_line("other --detach") == CellLine("other", detach=True)
        return read(parser, *args, **options)

    monkeypatch.setattr(ArgumentParser, "parse_known_args", meanwhile)
    for _ in range(2):
        assert parse_cell_line("work --detach") == CellLine("work", detach=True)
