"""Every notebook in notebooks/ runs from top to bottom, and shows what it says."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from tests.kernel.comms import click, move
from tests.wire import Wire

PICTURE = re.compile(r"!\[[^]]+\]\(([^)]+)\)")
NOTEBOOKS = sorted((Path(__file__).parent.parent.parent / "notebooks").glob("*.ipynb"))

# Text that must be in what a cell gives, by notebook and id of the cell.
EXPECTED: dict[str, dict[str, list[str]]] = {
    "debugging": {
        "look": ["worker: ", "(subshell-worker)"],
        "start": ["The debugger is on."],
        "pause": ["worker has stopped: pause", "->"],
        "still": ["0"],
        "locals": ["place", "seed"],
        "eval": ["True, True"],
        "break": ["Breakpoint 1 at step.", "worker goes on."],
        "wait": ["worker is in step"],
        "where": ["worker has stopped: function breakpoint", "def step(place, seed):", "stack:"],
        "holds": ["True"],
        "finish": ["worker has stopped: step"],
        "go-on": ["Removed 1 breakpoint.", "worker goes on.", "\nat ", "True"],
        "editor": ["'main', 'subshell worker'"],
        "who": ["TCP", "notebook", "this kernel"],
        "editor-breaks": ["'worker'"],
        "editor-leaves": ["[('step', 'at {place}')]"],
        "stop": ["The debugger is off: nothing is traced.", "No port is open."],
        "goes-on": ["True"],
        "end": ["'done'"],
        "status": ["off", "no port"],
    },
    "first-steps": {
        "table": ["main", "counter"],
        "later": ["True"],
        "beside": ["main and the counter go on"],
        "stacks": ["counter: busy", "in <module>"],
        "wait": ["('failed', True)"],
        "delete": ["Deleted 2 subshells."],
        "after": ["True"],
    },
    "training": {
        "look": ["loss", "True"],
        "plot": ["<Figure"],
        "table": ["train", "look"],
        "better": ["<Figure", "True"],
        "weights": ["[3., 2.]"],
        "stop": ["True"],
        "delete": ["Deleted 2 subshells."],
    },
    "widgets": {
        "controls": ["VBox("],
        "plot": ["interactive("],
        "walk": ["stopped after"],
        "heard": ["[(3.0, 'subshell-ipyext-comms')]"],
        "picture": ["<Figure"],
        "policy": ["'auto'"],
        "one-target": ["{'jupyter.widget': 'main'}"],
    },
    "subshells": {
        "thread": ["'subshell-look'"],
        "data": ["3"],
        "append": ["4"],
        "underscore": ["3"],
        "watch": ["<Job 1 in watcher"],
        "result": ["True"],
        "list": ["main", "look", "watcher"],
        "jobs": ["watcher", "done"],
        "endless": ["<Job 2 in worker"],
        "cancel": ["Job 2 was cancelled.", "'cancelled'"],
        "delete": ["Deleted 1 subshell."],
        "create": ["42"],
        "labels": ["['main', 'look', 'watcher', 'helper']"],
        "why": ["jupyter_client.session.Session.msg_id", "without a lock"],
        "after": ["4"],
    },
}


@pytest.fixture
def this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernelspec for the stock kernel of the Python that runs the tests."""
    spec = tmp_path / "share" / "kernels" / "this-python"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "this Python", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    return spec.name


class Person:
    """Somebody at the front end, who moves sliders and presses a button while a cell runs.

    It is a client of its own, in a thread of its own: nbclient waits for its cell.
    """

    def __init__(self, connection: dict[str, Any]) -> None:
        self._wire = Wire(connection)
        self._wire.hear()
        self._thread = ThreadPoolExecutor(1)
        self._done: Future[None] | None = None

    def run(self, cell: Any, cell_index: int) -> None:
        """Called when a cell is about to run."""
        if cell.id == "walk":
            self._done = self._thread.submit(self._walks)

    def end(self) -> None:
        self._thread.shutdown()
        assert self._done is not None
        self._done.result()
        self._wire.close()

    def _said(self, name: str) -> Iterator[dict[str, Any]]:
        """What was published for the cells of the notebook."""
        return (message["content"] for message in self._wire.stray if message["msg_type"] == name)

    def _model(self, name: str, **state: Any) -> str:
        """The widget with that state, as the kernel has described it."""
        (found,) = [
            content["comm_id"]
            for content in self._said("comm_open")
            if content["data"]["state"]["_model_name"] == name
            and state.items() <= content["data"]["state"].items()
        ]
        return str(found)

    def _walks(self) -> None:
        wire = self._wire
        wire.pump()
        bar, step = self._model("IntProgressModel"), self._model("FloatSliderModel")
        last, stop = self._model("IntSliderModel"), self._model("ButtonModel")

        def steps() -> bool:
            return any(
                content["comm_id"] == bar and content["data"]["state"].get("value", 0) >= 20
                for content in self._said("comm_msg")
            )

        wire.until(steps, what="steps that the bar shows")
        wire.wait(move(wire, step, 3.0))
        (picture,) = wire.wait(move(wire, last, 50))
        (figure,) = picture.of("display_data")
        assert "image/png" in figure["data"]
        wire.wait(click(wire, stop))


def text_of(cell: Any) -> str:
    """All text that a cell gave."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    )


def test_there_are_expectations_for_each() -> None:
    assert {path.stem for path in NOTEBOOKS} == EXPECTED.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stripped_and_valid(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_has_a_picture(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    shown = [name for cell in notebook.cells for name in PICTURE.findall(cell.source)]
    assert shown
    for name in shown:
        assert (path.parent / name).is_file(), name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_shows_what_it_says(path: Path, this_python: str, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    people: list[Person] = []

    def starts(notebook: Any) -> None:
        if path.stem == "widgets":
            people.append(Person(json.loads(Path(client.km.connection_file).read_text())))
            client.on_cell_execute = people[0].run

    client = nbclient.NotebookClient(
        notebook,
        kernel_name=this_python,
        timeout=60,
        startup_timeout=60,
        resources={"metadata": {"path": str(tmp_path)}},
        on_notebook_start=starts,
    )
    client.execute()
    for person in people:
        person.end()
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    for cell_id, texts in EXPECTED[path.stem].items():
        for text in texts:
            assert text in text_of(cells[cell_id]), f"cell {cell_id}: {cells[cell_id].outputs}"
            drawn = [o for o in cells[cell_id].outputs if "image/png" in o.get("data", {})]
            assert bool(drawn) == ("<Figure" in text_of(cells[cell_id]))
