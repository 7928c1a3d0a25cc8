"""``%load_ext ipyext`` in a notebook that is open."""

from __future__ import annotations

from tests.lab.conftest import Open
from tests.lab.pages import SUBSHELL_CONSOLE
from tests.lab.server import STOCK, Server
from tests.lab.test_subshells import BUSY, STOP


def test_load_and_unload(notebook: Open, server: Server) -> None:
    """Where JupyterLab has to ask the kernel again, a button in the output has it do so.

    Not on ipykernel 7: JupyterLab has known from the start that its kernels have subshells, and
    asks for the debugger each time, so that the load shows nothing.
    """
    page = notebook("%load_ext ipyext", BUSY, "%unload_ext ipyext", kernel=STOCK)
    stock_has_subshells = server.lane >= 7
    page.offers(SUBSHELL_CONSOLE, stock_has_subshells)
    loaded = page.run(0)
    loaded.has_run(1)
    loaded.reconnects(offered=not stock_has_subshells)
    page.offers(SUBSHELL_CONSOLE)
    main = page.run(1)
    main.runs()
    console = page.subshell_console()
    console.run("6 * 7").shows("42")
    main.runs()
    console.run("stop = True")
    main.has_run(2)
    console.close()
    unloaded = page.run(2)
    unloaded.has_run(3)
    if not stock_has_subshells:
        unloaded.reconnects()
    page.offers(SUBSHELL_CONSOLE, stock_has_subshells)


def test_reconnected_by_hand_while_a_cell_runs(notebook: Open) -> None:
    """By the menu, which the texts of the notice name, too."""
    page = notebook("%load_ext ipyext", BUSY, "%%subshell\n6 * 7", STOP, "'again'", kernel=STOCK)
    page.run(0).has_run(1)
    main = page.run(1)
    main.runs()
    with page.page.expect_websocket():
        page.menu("Kernel", "Reconnect to Kernel")
    page.offers(SUBSHELL_CONSOLE)
    page.ready()
    page.subshell_console().run("2 * 21").shows("42")
    page.run(2).shows("42")
    main.runs()
    again = page.run(4)
    again.runs()
    page.run(3)
    main.has_run(2)
    main.shows("main is done")
    again.shows("again")
