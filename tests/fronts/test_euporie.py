"""euporie's console, a front end for terminals with a protocol stack of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fronts.home import Home
from tests.fronts.terminal import Terminal

pytestmark = pytest.mark.timeout(600)

Open = Callable[[Home], Terminal]
# What is typed, and what there is to see before the next prompt.
SESSION = {
    "print('prin' + 'ted')": "printed",
    "6 * 7": "Out[2]: 42",
    "1 / 0": "ZeroDivisionError: division by zero",
    "!echo from a $((1 + 1))nd process": "from a 2nd process",
}


@pytest.fixture
def console() -> Iterator[Open]:
    """Open consoles that start a kernel each."""
    opened: list[Terminal] = []

    def start(home: Home) -> Terminal:
        opened.append(Terminal(home, "euporie-console", "--kernel-name=python3"))
        opened[-1].shows("In [1]:")
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def session(terminal: Terminal) -> list[list[str]]:
    """For every cell, what is between its prompt and the next one."""
    found = []
    for number, (code, shown) in enumerate(SESSION.items(), 1):
        here, following = f"In [{number}]:", f"In [{number + 1}]:"
        terminal.type(code)
        terminal.shows(shown)
        terminal.shows(following)
        lines = [line for line in terminal.lines if line]
        starts = [line[: line.find(":") + 1] for line in lines]
        found.append(lines[starts.index(here) : starts.index(following)])
    return found


def test_a_session_that_does_not_use_it(console: Open, stock_home: Home, home: Home) -> None:
    expected = session(console(stock_home))
    assert [cell[0].split("▕")[-1] for cell in expected] == [*SESSION]
    assert session(console(home)) == expected


def test_the_magics(console: Open, home: Home) -> None:
    terminal = console(home)
    terminal.type("%subshell create tea")
    terminal.shows("Created subshell tea")
    terminal.shows("In [2]:")
    terminal.type("%subshell")
    terminal.shows("idle")
