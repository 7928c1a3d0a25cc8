"""What the how-tos about debugging have people type works, and says what they say it says."""

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
