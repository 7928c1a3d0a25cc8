"""Fixtures: stock kernels, and kernels with the extension loaded from a running cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
from packaging.version import Version

from tests.wire import KernelProcess, Wire

IPYKERNEL = Version(version("ipykernel"))
LANE = IPYKERNEL.major


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


@pytest.fixture
def process(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    """The process behind `stock` and `kernel`."""
    return start_kernel()


@pytest.fixture
def stock(process: KernelProcess) -> Wire:
    """A client of a stock kernel."""
    return process.client()


@pytest.fixture
def kernel(stock: Wire) -> Iterator[Wire]:
    """A client of a kernel with the extension loaded by a cell; G1 is checked at the end."""
    assert stock.execute("%load_ext ipyext").status == "ok"
    yield stock
    stock.pump()
    stock.check()
