"""Notebook 7: the same front end in another frame, one notebook on a page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.lab.conftest import Open
from tests.lab.pages import Slider
from tests.lab.server import STOCK, Server
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


def test_load_and_unload(notebook: Open, server: Server) -> None:
    """The button reconnects where there is one; ipykernel 7 has announced subshells before us."""
    page = notebook(
        "%load_ext ipyext", BUSY, "%%subshell\n6 * 7", STOP, "%unload_ext ipyext",
        kernel=STOCK, notebook_7=True,
    )  # fmt: skip
    stock_has_subshells = server.lane >= 7
    page.knows_subshells(stock_has_subshells)
    loaded = page.run(0)
    loaded.has_run(1)
    loaded.reconnects(offered=not stock_has_subshells)
    page.knows_subshells()
    main = page.run(1)
    main.runs()
    page.run(2).shows("42")
    main.runs()
    page.run(3)
    main.has_run(2)
    unloaded = page.run(4)
    unloaded.has_run(3)
    if not stock_has_subshells:
        unloaded.reconnects()
    page.knows_subshells(stock_has_subshells)


def test_reconnected_while_a_cell_runs(notebook: Open) -> None:
    page = notebook(BUSY, "%%subshell\n6 * 7", STOP, "'main again'", notebook_7=True)
    main = page.run(0)
    main.runs()
    page.reconnect()
    page.run(1).shows("42")
    main.runs()
    again = page.run(3)
    again.runs()
    page.run(2)
    main.has_run(1)
    main.shows("main is done")
    again.shows("main again")


def test_page_loaded_again_while_a_cell_runs(notebook: Open) -> None:
    page = notebook(BUSY, "%%subshell\n6 * 7", STOP, "'main again'", notebook_7=True)
    page.run(0).runs()
    page.save()
    page.reload()
    page.run(1).shows("42")
    again = page.run(3)
    again.runs()
    page.run(2)
    again.shows("main again")
