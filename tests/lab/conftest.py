"""A server for the run, a page for each test. Traces and pictures of failed tests are kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

try:
    import jupyterlab  # noqa: F401  # the server's, in a process of its own
    import notebook as _  # noqa: F401
    import pytest_playwright  # noqa: F401
    from playwright.sync_api import expect
except ImportError as error:
    raise pytest.UsageError(
        f"tests/lab drives JupyterLab in a browser, and {error.name} is missing: "
        "pip install --group lab"
    ) from None

from tests.lab.chromium import ARGUMENTS, CHROMIUM
from tests.lab.pages import Notebook
from tests.lab.server import LIVE, Server

ROOT = Path(__file__).parents[2]
PATIENCE = 30_000  # milliseconds; a test that needs them all fails


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # The first test of a process starts the server and the browser as well.
            item.add_marker(pytest.mark.timeout(300))


def pytest_configure(config: pytest.Config) -> None:
    if CHROMIUM is None:
        raise pytest.UsageError(
            "tests/lab needs Chromium, and there is no `chromium` on the PATH: "
            "apt-get install chromium, or set IPYEXT_CHROMIUM to its path"
        )
    option = config.option
    if option.tracing == "off":
        option.tracing = "retain-on-failure"
    if option.screenshot == "off":
        option.screenshot = "only-on-failure"
    expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A window with room for a notebook, a console and the debugger."""
    return {**browser_context_args, "viewport": {"width": 1400, "height": 900}}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this run."""
    started = Server()
    yield started
    started.close()


@pytest.fixture(scope="session")
def base_url(server: Server) -> str:
    """In place of the one of pytest-base-url, about which pytest warns."""
    return server.url


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers of the test's own."""
    started: list[Server] = []

    def start(*install: str, **environment: str) -> Server:
        started.append(Server(install, environment))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(autouse=True)
def kernels(server: Server) -> Iterator[None]:
    """The kernels of a test end with it, once its page is gone and what is kept of it was taken."""
    yield
    server.end_kernels()


@pytest.fixture
def notebook(server: Server, new_context: Callable[..., Any], request: Any) -> Open:
    """Opens a notebook in JupyterLab, on a page that no other shares anything with.

    It is that of the test, with a kernel of its own; without cells, it is opened once more.
    """

    def open_notebook(
        *cells: str, kernel: str = LIVE, notebook_7: bool = False, on: Server = server
    ) -> Notebook:
        name = f"{request.node.originalname}.ipynb"
        if cells:
            on.write(name, list(cells), kernel)
        page = new_context().new_page()
        page.set_default_timeout(PATIENCE)
        frame = "notebooks" if notebook_7 else f"lab/workspaces/{uuid.uuid4().hex}/tree"
        return Notebook(page, f"{on.url}/{frame}/{name}")

    return open_notebook


Open = Callable[..., Notebook]
