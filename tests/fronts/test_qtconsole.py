"""qtconsole, without a display: the same text with the extension and without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fronts.home import Home

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parent.parent.parent
INTERRUPT = None
PLOT = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 4, 9]);"
SESSION: list[Any] = [
    "print('printed')",
    "6 * 7",
    "1 / 0",
    ["name = input('who is it? ')", "me"],
    "name, Out, In[1]",
    "!echo from a process",
    PLOT,
    ["print('be' + 'gun')\nwhile True: pass", INTERRUPT],
    "name?",
    "%recall 2",
]


def run(home: Home, cells: list[Any]) -> Any:
    """Run cells in a console that starts a kernel: its text, and how many pictures it shows."""
    home.env.update(QT_QPA_PLATFORM="offscreen", PYTHONPATH=str(ROOT))
    said = home.run("python", "-m", "tests.fronts.qt_session", json.dumps(cells))
    (shown,) = [line for line in said.splitlines() if line.startswith('{"text"')]
    return json.loads(shown)


def test_a_session_that_does_not_use_it(stock_home: Home, home: Home) -> None:
    expected = run(stock_home, SESSION)
    assert expected["pictures"] == 1
    for text in ("printed\n", "Out[2]: 42", "ZeroDivisionError", "who is it? me\n", "Keyboard"):
        assert text in expected["text"]
    assert run(home, SESSION) == expected


def test_subshells(home: Home) -> None:
    shown = run(
        home,
        [
            f"%%subshell look\n{PLOT}",
            ["%%subshell look\ninput('in a subshell? ').upper()", "yes"],
            "%subshell",
            ["%%subshell look\nprint('be' + 'gun')\nwhile True: pass", INTERRUPT],
            "'goes on'",
        ],
    )
    assert shown["pictures"] == 1
    for text in ("'YES'", "look", "KeyboardInterrupt", "'goes on'"):
        assert text in shown["text"]
