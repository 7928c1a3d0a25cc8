"""Subshells in JupyterLab, while main runs a cell."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from tests.lab.conftest import Open
from tests.lab.pages import Slider
from tests.lab.server import Server
from tests.wire import TIMEOUT, Wire

BUSY = """
import itertools
stop = False
for count in itertools.count():
    if stop:
        break
print("main is done")
"""
STOP = "%%subshell\nstop = True"


def no_subshell_is_left(client: Wire) -> None:
    """Wait until the kernel has no subshell."""
    end = time.monotonic() + TIMEOUT
    while left := client.shells():
        assert time.monotonic() < end, f"subshells are left: {left}"


def test_console_opened_while_main_is_busy(notebook: Open) -> None:
    page = notebook(BUSY)
    main = page.run(0)
    main.runs()
    console = page.subshell_console()
    console.run("6 * 7").shows("42")
    main.runs()
    console.run("stop = True")
    main.has_run(1)


def test_cells_side_by_side(notebook: Open) -> None:
    page = notebook(
        BUSY,
        "%%subshell look\nprint('looks')\nwhile not stop: pass\n'stopped too'",
        "%%subshell look\n'second in look'",
        "%%subshell other\n'in other'",
        "'main again'",
        STOP,
    )
    main = page.run(0)
    main.runs()
    look = page.run(1)
    look.shows("looks")
    look.runs()
    second = page.run(2)
    other = page.run(3)
    other.shows("in other")
    other.has_run(1)
    again = page.run(4)
    for waits in main, look, second, again:
        waits.runs()
    page.run(5).has_run()
    main.has_run(1)
    main.shows("main is done")
    look.has_run(1)
    expect(look.outputs).to_have_text(["looks", "'stopped too'"])
    second.has_run(2)
    second.shows("second in look")
    again.has_run(2)
    again.shows("main again")


def test_stop_button(notebook: Open) -> None:
    page = notebook(BUSY, "%%subshell\nprint('looks')\nwhile not stop: pass", STOP)
    main = page.run(0)
    main.runs()
    look = page.run(1)
    look.shows("looks")
    page.interrupt()
    main.shows("KeyboardInterrupt")
    main.has_run(1)
    look.runs()
    expect(look.output).not_to_contain_text("KeyboardInterrupt")
    page.interrupt()
    look.shows("KeyboardInterrupt")
    look.has_run(1)


def test_console_closed(notebook: Open, server: Server) -> None:
    page = notebook(BUSY)
    main = page.run(0)
    main.runs()
    console = page.subshell_console()
    console.run("print('runs')\nwhile True: pass").shows("runs")
    client = server.client("test_console_closed.ipynb")
    assert len(client.shells()) == 1
    console.close()
    no_subshell_is_left(client)
    main.runs()
    client.close()


SLIDER = """
import ipywidgets
slider, label = ipywidgets.IntSlider(), ipywidgets.Label("not moved")
slider.observe(lambda change: setattr(label, "value", f"moved to {change.new}"), "value")
ipywidgets.VBox([slider, label])
"""


def test_slider_while_main_is_busy(notebook: Open) -> None:
    page = notebook(SLIDER, BUSY, STOP)
    slider = page.run(0)
    slider.shows("not moved")
    main = page.run(1)
    main.runs()
    handle = Slider(slider)
    for percent in 20, 40, 60:
        slider.shows(f"moved to {handle.move(percent)}")
    main.runs()
    page.run(2)
    main.has_run(2)
    slider.shows(f"moved to {handle.move(80)}")
