"""What the tests here share, and what cannot be tested beside some version of ipykernel."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from importlib.metadata import version

import pytest
from packaging.version import Version

from tests.dap import JupyterDap
from tests.kernel.comms import SETUP
from tests.tcp_dap import TcpDap
from tests.wire import Wire

# The last jupyter_console that accepts ipykernel 5 (6.4) does not run with jupyter_client 8.
CONSOLE = Version(version("jupyter_console"))
collect_ignore = ["test_console.py"] if Version("6.5") > CONSOLE else []


@pytest.fixture
def lab(kernel: Wire) -> JupyterDap:
    """A client on the control channel that has not asked for anything yet."""
    return JupyterDap(kernel)


@pytest.fixture
def debugger(lab: JupyterDap) -> JupyterDap:
    """A client on the control channel that debugs."""
    lab.attach()
    return lab


@pytest.fixture
def new_editor(kernel: Wire) -> Iterator[Callable[[], TcpDap]]:
    """Makes clients on the port that have not asked for anything yet."""
    answer = kernel.execute("import ipyext\nipyext.debugger().listen()")
    address = ast.literal_eval(str(answer.result))
    clients: list[TcpDap] = []

    def connect() -> TcpDap:
        clients.append(TcpDap(*address))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def editor(new_editor: Callable[[], TcpDap]) -> TcpDap:
    """One of them."""
    return new_editor()


@pytest.fixture(params=["main", "child"])
def where(request: pytest.FixtureRequest, kernel: Wire) -> str | None:
    """The subshell that is tested; None is main."""
    return kernel.create("worker") if request.param == "child" else None


@pytest.fixture
def comms(kernel: Wire, child: str) -> Iterator[str]:
    """The id of a child, in a kernel with ipywidgets and `new`, which makes comms.

    At the end nothing has come that belongs to no request.
    """
    # %config keeps settings for the next load, and a process is used by several tests.
    reset = "%config IPyExt.comms = 'auto'\n%config IPyExt.comm_targets = {}"
    assert kernel.execute(SETUP + reset).status == "ok"
    yield child
    kernel.pump()
    assert kernel.stray_output() == []
