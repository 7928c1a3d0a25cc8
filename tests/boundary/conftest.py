"""Fixtures of the boundary tests: every test has a kernel process of its own, with the probe in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.register_assert_rewrite("tests.boundary.stock")

from tests.boundary.stock import Kernel  # noqa: E402  # after the line above
from tests.wire import KernelProcess, Wire  # noqa: E402


@pytest.fixture
def process(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    """A process of its own for every test: what one leaves behind is what these tests look for."""
    return start_kernel()


@pytest.fixture
def probed(process: KernelProcess, stock: Wire) -> Iterator[Kernel]:
    """A stock kernel with a baseline taken. G1 is checked at the end."""
    yield Kernel(process, stock)
    stock.pump()
    stock.check()


@pytest.fixture
def loaded(probed: Kernel) -> Kernel:
    """The same with the extension loaded, after the baseline."""
    probed.load()
    return probed
