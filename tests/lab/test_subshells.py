"""Subshells in JupyterLab, while main runs a cell that ends when a file is there."""

from __future__ import annotations

from tests.lab.conftest import Open

BUSY = """
import itertools
stop = False
for count in itertools.count():
    if stop:
        break
"""


def test_console_opened_while_main_is_busy(notebook: Open) -> None:
    page = notebook(BUSY)
    main = page.run(0)
    main.runs()
    console = page.subshell_console()
    console.run("6 * 7").shows("42")
    main.runs()
    console.run("stop = True")
    main.has_run(1)
