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


def shells_left(client: Wire, count: int) -> None:
    """Wait until the kernel has so many subshells. A client of our own asks again and again."""
    end = time.monotonic() + TIMEOUT
    while len(left := client.shells()) != count:
        assert time.monotonic() < end, f"subshells that are left: {left}"


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
    shells_left(client, 0)
    main.runs()
    client.close()


def test_page_loaded_again(notebook: Open, server: Server) -> None:
    """The console that comes back is one of main's, and nobody has its subshell any more."""
    page = notebook(
        "%config IPyExt.cull_orphaned_subshells = 0.5",
        BUSY,
        "%%subshell look\nlooks = True\nwhile not stop: pass\nlooks = 'stopped too'",
        "looks",
        STOP,
    )
    page.run(0).has_run(1)
    main = page.run(1)
    main.runs()
    page.subshell_console().run("6 * 7").shows("42")
    look = page.run(2)
    look.runs()
    client = server.client("test_page_loaded_again.ipynb")
    page.save()
    page.reload()
    shells_left(client, 1)
    page.run(4)
    page.run(3).shows("'stopped too'")
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
