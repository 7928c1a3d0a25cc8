"""Fixtures: stock kernels, and kernels with the extension loaded from a running cell."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from importlib.metadata import version
from typing import Any

import pytest
from packaging.version import Version

from tests.pool import Pool
from tests.wire import KernelProcess, Wire

IPYKERNEL = Version(version("ipykernel"))
LANE = IPYKERNEL.major
FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stock",
        action="store_true",
        help="Run the tests marked `fault` on the stock kernel, where each of them must fail.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--stock"):
        return
    faults = [item for item in items if item.get_closest_marker("fault")]
    config.hook.pytest_deselected(items=[item for item in items if item not in faults])
    items[:] = faults
    for item in faults:
        item.add_marker(pytest.mark.xfail(strict=True, reason="a fault of the stock kernel"))


@pytest.fixture
def start_kernel() -> Iterator[Callable[..., KernelProcess]]:
    """Start kernels; they are killed at the end of the test."""
    started: list[KernelProcess] = []

    def start(*arguments: str, **options: Any) -> KernelProcess:
        started.append(KernelProcess(*arguments, **options))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Kernels that tests use one after the other."""
    kernels = Pool()
    yield kernels
    kernels.close()


@pytest.fixture
def process(pool: Pool, request: pytest.FixtureRequest) -> Iterator[KernelProcess]:
    """The process behind `stock` and `kernel`."""
    taken = pool.take()
    yield taken
    pool.give_back(taken, passed=FAILED not in request.node.stash)


@pytest.fixture
def stock(process: KernelProcess) -> Wire:
    """A client of a stock kernel."""
    return process.client()


@pytest.fixture
def kernel(stock: Wire, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A client of a kernel with the extension loaded by a cell; G1 is checked at the end."""
    if request.config.getoption("--stock"):
        yield stock
        return
    assert stock.execute("%load_ext ipyext").status == "ok"
    yield stock
    stock.pump()
    stock.check()


SHARED = """
import asyncio, logging, sys, threading, time
go, done = threading.Event(), threading.Event()
meet = threading.Barrier(2, timeout=30)
"""


@pytest.fixture
def child(kernel: Wire) -> str:
    """The id of a child subshell, beside names that tests use to order what several shells do."""
    assert kernel.execute(SHARED).status == "ok"
    return kernel.create()
