"""``%load_ext ipyext`` in a notebook that is open."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.lab.conftest import Open
from tests.lab.pages import SUBSHELL_CONSOLE
from tests.lab.server import STOCK, Server
from tests.lab.test_subshells import BUSY


def test_load_and_unload(notebook: Open, server: Server) -> None:
    """Where JupyterLab has to ask the kernel again, a button in the output has it do so."""
    page = notebook("%load_ext ipyext", BUSY, "%unload_ext ipyext", kernel=STOCK)
    stock_has_subshells = server.lane >= 7
    page.offers(SUBSHELL_CONSOLE, stock_has_subshells)
    loaded = page.run(0)
    loaded.has_run(1)
    button = loaded.output.get_by_role("button", name="Reconnect")
    if stock_has_subshells:
        expect(loaded.outputs).to_have_count(0)
    else:
        button.click()
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
        unloaded.output.get_by_role("button", name="Reconnect").click()
    page.offers(SUBSHELL_CONSOLE, stock_has_subshells)
