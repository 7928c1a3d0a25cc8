"""Kernels that load the extension when they start, as `ipyext install` has them do."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.lab.conftest import Open
from tests.lab.pages import SUBSHELL_CONSOLE, Notebook
from tests.lab.server import STOCK, Server
from tests.lab.test_subshells import BUSY

LOADED = "'ipyext' in get_ipython().extension_manager.loaded"


def there_from_the_start(page: Notebook, debugger: bool) -> None:
    """Nothing is loaded by hand, and the front end connects once."""
    page.offers(SUBSHELL_CONSOLE)
    main = page.run(0)
    main.runs()
    console = page.subshell_console()
    console.run("6 * 7").shows("42")
    main.runs()
    if debugger:
        bug = page.debug()
        bug.goes_on()  # JupyterLab has come to rest: it would take the next click for another start
        bug.off()
    else:
        expect(page.bug).to_have_attribute("aria-disabled", "true")
    console.run("stop = True")
    main.has_run(1)
    page.run(1).shows("True")


def test_installed_into_the_profile(notebook: Open, serve: Callable[..., Server]) -> None:
    """JupyterLab goes by the kernelspec, and that of ipykernel 5 does not speak of a debugger."""
    server = serve()
    page = notebook(BUSY, LOADED, kernel=STOCK, on=server)
    there_from_the_start(page, debugger=server.lane >= 6)


def test_installed_as_a_kernelspec(notebook: Open) -> None:
    there_from_the_start(notebook(BUSY, LOADED), debugger=True)


def test_switched_off(notebook: Open, serve: Callable[..., Server]) -> None:
    server = serve(IPYEXT_DISABLE="1")
    page = notebook(LOADED, "%load_ext ipyext", "%subshell", kernel=STOCK, on=server)
    page.offers(SUBSHELL_CONSOLE, server.lane >= 7)  # what the stock kernel has itself
    page.run(0).shows("False")
    page.run(1).has_run(2)
    page.run(2).shows("main")
