"""The debugger of JupyterLab, while main runs."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.lab.conftest import Open

LOOP = """
import itertools
stop = False
def step(count):
    rest = count % 7
    return rest
for count in itertools.count():
    step(count)
    if stop:
        break
""".strip()
NUMBER = re.compile(r"^\d+$")
STOP = "%%subshell\nstop = True"
STEP = 4  # the first line of `step`


def test_on_while_a_cell_loops(notebook: Open) -> None:
    page = notebook(LOOP, STOP)
    main = page.run(0)
    main.runs()
    debugger = page.debug()
    main.gutter(STEP).click()
    debugger.stopped_in("step", "<module>")
    expect(debugger.variable("count")).to_have_text(NUMBER)
    expect(debugger.variable("rest")).to_have_count(0)
    debugger.press("Next")
    expect(debugger.variable("rest")).to_have_text(NUMBER)
    main.gutter(STEP).click()
    expect(debugger.breakpoints).to_have_count(0)
    debugger.press("Continue")
    debugger.goes_on()
    debugger.press("Pause")
    expect(debugger.frames.last).to_contain_text("<module>")
    debugger.press("Continue")
    debugger.goes_on()
    main.runs()
    page.run(1)
    main.has_run(1)
    debugger.off()


def test_breakpoint_in_a_subshell_console(notebook: Open) -> None:
    page = notebook(LOOP, "%%subshell\nseen = count\nwhile count == seen: pass\n'main goes on'")
    main = page.run(0)
    main.runs()
    console = page.subshell_console()
    # First: a second after somebody has typed, JupyterLab sets the breakpoints that an editor had
    # in between, which is none if the debugger is on and they are being set just then.
    typed = console.type("total = 0\nfor number in [40, 2]:\n    total += number\ntotal")
    debugger = console.debug()
    typed.gutter(3).click()
    expect(debugger.breakpoints).to_have_count(1)
    cell = console.run()
    debugger.stopped_in("<module>")
    expect(debugger.variable("number")).to_have_text("40")
    cell.runs()
    page.run(1).shows("main goes on")
    main.runs()
    debugger.press("Continue")
    expect(debugger.variable("number")).to_have_text("2")
    debugger.stopped_in("<module>")
    debugger.press("Continue")
    debugger.goes_on()
    cell.shows("42")
    main.runs()


def test_two_shells_stopped(notebook: Open) -> None:
    """JupyterLab shows one stop at a time: the other comes into view when that one goes on."""
    page = notebook(LOOP, "%%subshell other\nstep(-5)", STOP)
    main = page.run(0)
    main.runs()
    debugger = page.debug()
    main.gutter(STEP).click()
    debugger.stopped_in("step", "<module>")
    expect(debugger.variable("count")).to_have_text(NUMBER)
    other = page.run(1)
    expect(debugger.variable("count")).to_have_text("-5")
    main.gutter(STEP).click()
    expect(debugger.breakpoints).to_have_count(0)
    debugger.press("Continue")
    other.shows("2")
    expect(debugger.variable("count")).to_have_text(NUMBER)
    debugger.press("Continue")
    debugger.goes_on()
    main.runs()


def test_page_loaded_again_while_stopped(notebook: Open) -> None:
    page = notebook(LOOP, STOP, "'main again'")
    main = page.run(0)
    main.runs()
    page.debug()
    main.gutter(STEP).click()
    debugger = page.debug()
    debugger.stopped_in("step", "<module>")
    page.reload()
    debugger = page.debug()
    debugger.stopped_in("step", "<module>")
    expect(debugger.breakpoints).to_have_count(1)
    main.gutter(STEP).click()
    expect(debugger.breakpoints).to_have_count(0)
    debugger.press("Continue")
    debugger.goes_on()
    again = page.run(2)
    again.runs()
    page.run(1)
    again.shows("main again")


def test_two_tabs(notebook: Open) -> None:
    first = notebook(LOOP, STOP)
    main = first.run(0)
    main.runs()
    left = first.debug()
    first.save()
    second = notebook()
    right = second.debug()
    main.gutter(STEP).click()
    for debugger in left, right:
        debugger.stopped_in("step", "<module>")
    right.press("Continue")
    for debugger in right, left:
        expect(debugger.frames).to_have_count(2)
    right.off()
    left.stopped_in("step", "<module>")
    main.gutter(STEP).click()
    expect(left.breakpoints).to_have_count(0)
    left.press("Continue")
    left.goes_on()
    first.run(1)
    main.has_run(1)
