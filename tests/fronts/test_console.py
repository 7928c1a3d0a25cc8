"""jupyter_console in a terminal: the same screen with the extension and without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fronts.home import Home
from tests.fronts.terminal import Terminal

pytestmark = pytest.mark.timeout(600)

Open = Callable[[Home], Terminal]


@pytest.fixture
def console() -> Iterator[Open]:
    """Open consoles that start a kernel each."""
    opened: list[Terminal] = []

    def start(home: Home) -> Terminal:
        opened.append(Terminal(home, "jupyter-console", "--kernel=python3"))
        opened[-1].shows("In [1]:")
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def session(terminal: Terminal) -> list[str]:
    """What a person types, and the screen after it, from the first prompt on."""
    terminal.type("print('prin' + 'ted')")
    terminal.shows("In [2]:")
    terminal.type("6 * 7")
    terminal.shows("In [3]:")
    terminal.type("1 / 0")
    terminal.shows("In [4]:")
    terminal.type("name = input('who' + ' is it? ')")
    terminal.shows("who is it?")
    terminal.type("me")
    terminal.shows("In [5]:")
    terminal.type("name, Out, In[1]")
    terminal.shows("In [6]:")
    terminal.type("!echo from a $((1 + 1))nd process")
    terminal.shows("In [7]:")
    return terminal.lines[terminal.lines.index("In [1]: print('prin' + 'ted')") :]


def test_a_session_that_does_not_use_it(console: Open, stock_home: Home, home: Home) -> None:
    shown = session(console(stock_home))
    for line in ("printed", "Out[2]: 42", "ZeroDivisionError: division by zero", "who is it? me"):
        assert line in shown
    assert "from a 2nd process" in shown
    assert session(console(home)) == shown


def test_the_magics(console: Open, home: Home) -> None:
    terminal = console(home)
    terminal.type("%subshell create tea")
    terminal.shows("Created subshell tea")
    terminal.shows("In [2]:")
    terminal.type("%subshell")
    terminal.shows("idle")


def test_it_interrupts_and_ends(console: Open, home: Home) -> None:
    terminal = console(home)
    terminal.type("print('be' + 'gun'); [0 for _ in iter(int, 1)]")
    terminal.shows("begun")
    terminal.press("\x03")
    terminal.shows("KeyboardInterrupt")
    terminal.shows("In [2]:")
    terminal.type("exit")
    terminal.ended()
