"""Programs that execute notebooks: the same result with the extension and without it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.fronts.home import Home
from tests.fronts.notebook import CELLS, comparable, write

pytestmark = pytest.mark.timeout(600)  # two runs of a whole notebook, each in a fresh kernel
NAME = "notebook.ipynb"
EXECUTED = "executed.ipynb"
PROGRAMS = {
    "nbclient": ("jupyter-execute", NAME, "--output=executed"),
    "papermill": ("papermill", "--no-progress-bar", NAME, EXECUTED),
    "nbconvert": ("jupyter-nbconvert", "--to=notebook", "--execute", NAME, f"--output={EXECUTED}"),
}
programs = pytest.mark.parametrize("program", PROGRAMS)


def execute(home: Home, program: str, *cells: str, succeeds: bool = True) -> Path:
    """Execute a notebook; without cells, one that does not know of the extension."""
    write(home.path / NAME, *cells)
    executed = home.path / EXECUTED
    executed.unlink(missing_ok=True)
    home.run(*PROGRAMS[program], succeeds=succeeds)
    return executed


def texts(path: Path) -> list[str]:
    return [
        "".join(
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in cell.get("outputs", [])  # papermill adds Markdown cells about errors
        )
        for cell in nbformat.read(path, as_version=4).cells
    ]


@programs
def test_a_notebook_that_does_not_use_it(stock_home: Home, home: Home, program: str) -> None:
    # papermill takes every error output for a failure, but executes and writes the whole.
    succeeds = program != "papermill"
    expected = comparable(execute(stock_home, program, succeeds=succeeds))
    counts = [c["execution_count"] for c in expected["cells"] if c["cell_type"] == "code"]
    assert counts == [*range(1, len(CELLS) + 1)]
    assert comparable(execute(home, program, succeeds=succeeds)) == expected


@programs
def test_the_homes_differ(stock_home: Home, home: Home, program: str) -> None:
    """What the test above compares are kernels without and with the extension."""
    cell = "'ipyext' in get_ipython().extension_manager.loaded"
    assert texts(execute(stock_home, program, cell)) == ["False"]
    assert texts(execute(home, program, cell)) == ["True"]


@programs
def test_a_notebook_with_subshells(home: Home, program: str) -> None:
    executed = execute(
        home,
        program,
        "import threading; go, begun = threading.Event(), threading.Event()",
        "%%subshell work --detach --job job\nbegun.set(); go.wait(); 'detached'",
        "begun.wait(60)",
        "%%subshell look\ngo.is_set()",
        "%subshell",
        "go.set(); job.result(60)",
        "%subshell delete --all",
    )
    _, _, begun, look, table, result, deleted = texts(executed)
    assert (begun, look, result) == ("True", "False", "'detached'")
    assert "work" in table
    assert deleted == "Deleted 2 subshells.\n"


@programs
def test_an_error_in_a_subshell_ends_the_run(home: Home, program: str) -> None:
    executed = execute(home, program, "%%subshell\n1 / 0", "'not reached'", succeeds=False)
    if executed.exists():  # papermill writes what there is
        assert "not reached" not in "".join(texts(executed))
