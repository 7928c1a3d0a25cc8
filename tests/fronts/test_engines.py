"""ipyparallel: a notebook kernel that drives engines, and an engine itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fronts.home import Home
from tests.wire import Answer, KernelProcess, Wire

pytestmark = pytest.mark.timeout(600)
START = """
import ipyparallel
cluster = ipyparallel.Cluster(n=1, log_level=30)
client = cluster.start_and_connect_sync(activate=True)
"""
WAIT = 200.0


@pytest.fixture
def process(start_kernel: Callable[..., KernelProcess], home: Home) -> KernelProcess:
    """A kernel whose engines have a home of their own, too."""
    env = {name: home.env[name] for name in ("HOME", "PATH", "JUPYTER_PLATFORM_DIRS")}
    return start_kernel(env=env)


@pytest.fixture
def driver(kernel: Wire) -> Iterator[Wire]:
    """A kernel with the extension and one engine."""
    run(kernel, START)
    yield kernel
    run(kernel, "client.close(); cluster.stop_cluster_sync()")


def run(kernel: Wire, code: str, subshell: str | None = None) -> str:
    (answer,) = kernel.wait(kernel.send_execute(code, subshell=subshell), timeout=WAIT)
    assert answer.status == "ok", answer.content
    return all_of(answer)


def all_of(answer: Answer) -> str:
    """Everything that a cell gave: %px shows what engines print in more than one way."""
    return str([message["content"] for message in answer.iopub])


def test_px_while_main_is_busy(driver: Wire) -> None:
    """%px of a child and %px of main, each with its own output."""
    driver.execute("import threading; go = threading.Event()")
    assert "from the engine" in run(driver, "%px print('from the engine')")
    child = driver.create()
    loop = driver.begin("go.wait(100)")
    assert "to a child" in run(driver, "%px print('to a child')", child)
    assert run(driver, "client[:].apply_sync(lambda: 6 * 7)", child).count("'[42]'") == 1
    run(driver, "go.set()", child)
    assert driver.wait(loop)[0].result == "True"


def test_an_engine_refuses_and_goes_on(driver: Wire) -> None:
    """An engine has no stdin channel, and schedulers in place of front ends."""
    answer = driver.wait(driver.send_execute("%px %load_ext ipyext"), timeout=WAIT)[0]
    assert answer.status == "error"
    said = all_of(answer)
    assert "ipyext was not loaded and nothing was changed" in said
    assert "an engine of ipyparallel" in said
    assert run(driver, "client[:].apply_sync(lambda: 6 * 7)").count("'[42]'") == 1
