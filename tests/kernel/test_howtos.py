"""What the first steps and the how-tos have people type works, and says what they say it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.wire import Answer, KernelProcess, Wire

DOCS = Path(__file__).parents[2] / "docs"
FENCED = re.compile(r"^```(python|text)\n(.*?)^```$|^(## [^\n]*)$", re.M | re.S)


class Step(NamedTuple):
    """A cell that a page shows, and the lines that it has below it; or the title of a section."""

    title: str
    cell: str
    shown: list[str]


def steps(page: str) -> Iterator[Step]:
    for kind, block, title in FENCED.findall((DOCS / page).read_text()):
        # In text there is an empty line between what is typed and what is shown.
        cell, _, shown = block.partition("\n\n") if kind == "text" else (block, "", "")
        yield Step(title, cell, shown.splitlines())


def shape(text: str) -> str:
    """Text without what differs from run to run."""
    return " ".join(re.sub(r"\d+(\.\d+)?", "N", text).split())


def said(answer: Answer) -> str:
    return "\n".join([answer.text(), *answer.shown, answer.result or ""])


WAIT = "%%subshell look\nimport ipyext\nipyext.debugger().wait_stopped(timeout=30)"


def check(kernel: Wire, step: Step) -> None:
    """Run the cell. Each of its lines says something, and that is what comes first below it."""
    if step.cell == "%debugctl where":  # people look when there is something to see
        assert kernel.execute(WAIT).status == "ok"
    msg_id = kernel.send_execute(step.cell)
    (answer,) = kernel.wait(msg_id)
    assert answer.status == "ok", (step.cell, answer.text("stderr"), answer.content)
    for line in step.shown[: len(step.cell.splitlines())]:
        assert shape(line) in shape(said(answer)), step.cell
    if " log " in step.cell:  # it comes when the loop comes by
        kernel.until(lambda: shape(step.shown[-1]) in shape(answer.text()), what=step.shown[-1])


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelProcess]) -> Wire:
    """A kernel whose first cell has loaded the extension: cells have the numbers of the pages."""
    client = start_kernel().client()
    assert client.execute("%load_ext ipyext").content["execution_count"] == 1
    return client


def test_a_cell_that_is_already_running(kernel: Wire) -> None:
    """The page is one session, from top to bottom."""
    loop, *rest = (step for step in steps("debug-running-cell.md") if step.cell)
    running = kernel.send_execute(loop.cell)
    kernel.until(lambda: kernel.answers[running].of("execute_input"), what="the loop")
    for step in rest:
        # Python is for another shell while main is busy.
        python = not step.cell.startswith("%")
        check(kernel, step._replace(cell=f"%%subshell look\n{step.cell}") if python else step)
    kernel.execute("%subshell interrupt main")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def found_by(kernel: Wire) -> int:
    return int(kernel.execute("len(found)").result or "")


def test_a_subshell(kernel: Wire) -> None:
    """From one section of the page to the next, the worker runs on."""
    _, worker, *rest = steps("debug-subshell.md")
    running = kernel.send_execute(worker.cell)
    kernel.until(lambda: kernel.answers[running].of("execute_input"), what="the worker")
    for step in rest:
        if step.cell:
            check(kernel, step)
        elif kernel.execute("%debugctl clear --all").status == "ok":
            goal = found_by(kernel) + 2
            while found_by(kernel) < goal:  # it may come by a last time
                kernel.execute("%debugctl continue --all")
    assert kernel.execute("%debugctl").status == "ok"
    kernel.execute("%subshell interrupt worker")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


# What the pages leave to the reader: a model that takes its time, and its data.
MODEL = """
import threading
class Model:
    fitted = threading.Event()
    def fit(self, data):
        print("fitting")
        self.fitted.wait()
        print("fitted")
    def score(self, data): return 0.5
class Data:
    def describe(self): return "three columns"
model, data, test, results = Model(), Data(), Data(), []
"""


def ok(kernel: Wire, code: str, **where: str) -> Answer:
    answer = kernel.execute(code, **where)
    assert answer.status == "ok", (code, answer.content, answer.text("stderr"))
    assert answer.text("stderr") == "", code
    return answer


def test_what_a_closed_browser_missed(kernel: Wire) -> None:
    """The page's table is the scene; what it has people type is typed while cell 3 runs."""
    last, table, cells, since, keep, python = (
        step for step in steps("see-output-again.md") if step.cell
    )
    kernel.execute(MODEL, store_history=False)
    assert ok(kernel, "data.describe()").content["execution_count"] == 2
    running = kernel.send_execute("model.fit(data)")
    kernel.wait_for_text(running, "fitting\n")
    shown = said(ok(kernel, last.cell))
    assert "In [3] of main, running" in shown
    assert "fitting" in shown

    ok(kernel, "%%subshell look\nprint('looked')")
    listed = said(ok(kernel, table.cell))
    head, _, *rows = [line.split() for line in table.shown]
    assert head == listed.strip().splitlines()[0].split()
    for shell, *words in rows:
        name, code = " ".join(words[:2]), words[-1]
        assert any(
            line.split()[0] == shell and name in line and code in line
            for line in listed.strip().splitlines()
        ), (shell, words, listed)

    two, look = cells.cell.splitlines()
    assert "three columns" in said(ok(kernel, two))
    assert "looked" in said(ok(kernel, look))
    both = said(ok(kernel, cells.cell))
    assert "three columns" in both
    assert "looked" in both

    new = said(ok(kernel, since.cell.splitlines()[0]))
    assert "three columns" in new
    assert "fitting" in new
    assert "looked" in new
    ok(kernel, since.cell.splitlines()[1])  # what it shows is a matter of the time of the day

    value = ok(kernel, f"%%subshell look\n{python.cell}").result or ""
    assert "fitting" in value
    ok(kernel, "%%subshell look\nmodel.fitted.set()")
    assert kernel.wait(running)[0].status == "ok"
    ok(kernel, keep.cell)
    assert ok(kernel, "get_ipython().config.IPyExt.keep_output").result == "500"


def test_getting_started(start_kernel: Callable[..., KernelProcess]) -> None:
    """The page from its first cell to its last, with what it says in between."""
    load, beside, shells, interrupt, delete, detach, debug, python, unload = (
        step.cell for step in steps("getting-started.md") if step.cell
    )
    kernel = start_kernel().client()
    kernel.execute(MODEL, store_history=False)
    ok(kernel, load)
    busy = kernel.begin("stop = False\nwhile not stop: results.append(1)\n'main ends'")
    assert int(ok(kernel, beside).result or "") > 0
    assert "look" in said(ok(kernel, shells))

    loop = kernel.send_execute("%%subshell look\nprint('loops')\nwhile True: pass")
    kernel.wait_for_text(loop, "loops\n")
    ok(kernel, interrupt)
    assert kernel.wait(loop)[0].content["ename"] == "KeyboardInterrupt"
    ok(kernel, delete)
    assert "look" not in said(ok(kernel, shells))

    detached = kernel.send_execute(detach)
    kernel.wait_for_text(detached, "fitting\n")
    kernel.wait(detached)
    ok(kernel, "%%subshell\nmodel.fitted.set()")
    assert ok(kernel, "%%subshell\ntraining.result(timeout=60)").result == "0.5"
    kernel.wait_for_text(detached, "fitted\n")

    ok(kernel, debug)
    assert kernel.execute(WAIT).status == "ok"
    for typed in ("%debugctl locals", "%debugctl next", "%debugctl continue", "%debugctl stop"):
        ok(kernel, typed)

    ok(kernel, "%%subshell\nstop = True")
    assert kernel.wait(busy)[0].result == "'main ends'"
    ok(kernel, python)
    ok(kernel, unload)
    assert ok(kernel, "len(results) > 0, model.score(test)").result == "(True, 0.5)"
