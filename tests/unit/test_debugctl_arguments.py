"""The arguments of %debugctl, and what is said about wrong ones."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from ipyext.magics.debugctl_arguments import ACTIONS, DEBUGCTL, parse_address, parse_break

GOOD = [
    ("", "status", {}),
    ("  status ", "status", {}),
    ("start  # now", "start", {}),
    ("listen", "listen", {"host": "127.0.0.1", "port": 0, "force": False}),
    ("listen 5678", "listen", {"host": "127.0.0.1", "port": 5678}),
    ("listen 0.0.0.0:5678 --force", "listen", {"host": "0.0.0.0", "port": 5678, "force": True}),
    ("listen [::1]:5678", "listen", {"host": "::1", "port": 5678}),
    ("where", "where", {"thread": None}),
    ("where main", "where", {"thread": "main"}),
    ("continue --all", "continue", {"thread": None, "all": True}),
    ("next 12", "next", {"thread": "12"}),
    ("locals worker --frame 1", "locals", {"thread": "worker", "frame": 1}),
    ("clear 3", "clear", {"which": "3", "all": False}),
    ("clear --all", "clear", {"which": None, "all": True}),
    ("exceptions raised uncaught", "exceptions", {"which": ["raised", "uncaught"]}),
    ("config", "config", {"stop": None}),
    ("config stop=all", "config", {"stop": "all"}),
    ("eval a if b else 'c'  # d", "eval", {"expression": "a if b else 'c'  # d"}),
    ("break work", "break", {"place": "work", "condition": None}),
]


@pytest.mark.parametrize(("line", "name", "expected"), GOOD)
def test_good_lines(line: str, name: str, expected: dict[str, object]) -> None:
    found, arguments = DEBUGCTL.parse(line)
    assert found == name
    assert expected.items() <= vars(arguments).items()
    assert arguments.help is None


BREAKS = [
    ("In[3]:5", "In[3]:5", None, None, None),
    ("worker/In[3]:5", "worker/In[3]:5", None, None, None),
    ("a.py:7 if x > 1", "a.py:7", "x > 1", None, None),
    ('"a b.py":7 if x > 1', "a b.py:7", "x > 1", None, None),
    ('"a b.py:7"', "a b.py:7", None, None, None),
    ("f if a if b else c hits 5", "f", "a if b else c", "5", None),
    ("f if x == 'a' log here: {x} if so", "f", "x == 'a'", None, "here: {x} if so"),
    ("f if log (x) > hits", "f", "log (x) > hits", None, None),
    ("f if ' hits 3 ' in x hits  >=  3 log y", "f", "' hits 3 ' in x", ">= 3", "y"),
    ("f hits % 10", "f", None, "% 10", None),
    ("f hits 3 log hits 4", "f", None, "3", "hits 4"),
    ("f log {x}", "f", None, None, "{x}"),
]


@pytest.mark.parametrize(("text", "place", "condition", "hits", "log"), BREAKS)
def test_breakpoints(
    text: str, place: str, condition: str | None, hits: str | None, log: str | None
) -> None:
    found = parse_break(text)
    assert (found.place, found.condition, found.hits, found.log) == (place, condition, hits, log)


BAD = [
    ("stat", "Did you mean 'start'?"),
    ("kill", "Actions: status, start, stop"),
    ("start now", "Usage: %debugctl start"),
    ("where a b", "Usage: %debugctl where [THREAD]"),
    ("listen here", "'here' is no address. Use PORT or HOST:PORT"),
    ("listen 1 2", "Usage: %debugctl listen"),
    ("clear", "Usage: %debugctl clear N|PLACE|--all"),
    ("clear 1 --all", "Usage: %debugctl clear N|PLACE|--all"),
    ("config stop=some", "'stop=some' is no setting"),
    ("config all", "Usage: %debugctl config"),
    ("eval", "Usage: %debugctl eval EXPRESSION"),
    ("break", "%debugctl break --help"),
    ("break f when x", "'when x' is not understood"),
    ("break f if x >", "'x >' is no expression"),
    ("break f hits many", "'hits many' is not understood"),
    ("locals --frame one", "Usage: %debugctl locals"),
    ("where 'open", "Usage: %debugctl where"),
]


@pytest.mark.parametrize(("line", "part"), BAD)
def test_bad_lines(line: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        DEBUGCTL.parse(line)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_has_help_and_a_method(name: str) -> None:
    from ipyext.magics.debugctl import DebugctlMagics

    assert callable(getattr(DebugctlMagics, f"_{name}"))
    for line in (f"{name} --help", f"{name} -h", f"help {name}", f"--help {name}"):
        text = DEBUGCTL.parse(line)[1].help
        assert text == DEBUGCTL.help_of(name)
        assert text.startswith(f"%debugctl {name}")
    assert f"\n%debugctl {name}" in DEBUGCTL.overview()


@pytest.mark.parametrize("line", ["--help", "-h", "help"])
def test_help(line: str) -> None:
    assert DEBUGCTL.parse(line)[1].help == DEBUGCTL.overview()


def test_what_is_evaluated_is_taken_as_it_is() -> None:
    assert DEBUGCTL.parse("eval args --help  # no")[1].expression == "args --help  # no"


def test_an_address_without_a_host_is_loopback() -> None:
    assert parse_address(":80") == ("127.0.0.1", 80)
