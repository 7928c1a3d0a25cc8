"""Notebook 7: the same front end in another frame, one notebook on a page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.lab.conftest import Open
from tests.lab.pages import Slider
from tests.lab.test_debugger import LOOP, NUMBER, STEP
from tests.lab.test_subshells import BUSY, SLIDER, STOP


def test_subshells_and_widgets(notebook: Open) -> None:
    page = notebook(
        SLIDER, BUSY, "%%subshell look\nprint('looks')\nwhile True: pass", STOP, notebook_7=True
    )
    slider = page.run(0)
    slider.shows("not moved")
    main = page.run(1)
    main.runs()
    look = page.run(2)
    look.shows("looks")
    slider.shows(f"moved to {Slider(slider).move(50)}")
    main.runs()
    page.run(3)
    main.has_run(2)
    look.runs()
    page.interrupt()
    look.shows("KeyboardInterrupt")


def test_debugger(notebook: Open) -> None:
    page = notebook(LOOP, STOP, notebook_7=True)
    main = page.run(0)
    main.runs()
    debugger = page.debug()
    main.gutter(STEP).click()
    debugger.stopped_in("step", "<module>")
    expect(debugger.variable("count")).to_have_text(NUMBER)
    main.gutter(STEP).click()
    expect(debugger.breakpoints).to_have_count(0)
    debugger.press("Continue")
    debugger.goes_on()
    page.run(1)
    main.has_run(1)
