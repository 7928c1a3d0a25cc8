"""G6 beside other tools: whatever comes and goes in which order, the kernel is stock at the end.

What a tool itself leaves in a kernel is found out first, in a kernel that never had the extension.
With the extension, the same is left and nothing else, and none of it is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.boundary.stock import Kernel
from tests.fronts.tools import TOOLS, Tool
from tests.wire import KernelProcess

pytestmark = pytest.mark.timeout(600)

Probe = Callable[[], Kernel]

LOAD, UNLOAD = "%load_ext ipyext", "%unload_ext ipyext"
# `on` and `off` are the tool's.
ORDERS = {
    "theirs inside ours": (LOAD, "on", "off", UNLOAD),
    "ours inside theirs": ("on", LOAD, UNLOAD, "off"),
    "ours first, theirs stays": (LOAD, "on", UNLOAD, "off"),
    "theirs first, ours stays": ("on", LOAD, "off", UNLOAD),
}
LEFT_BY: dict[Tool, dict[str, str]] = {}  # without the extension; found out once


@pytest.fixture
def probe(start_kernel: Callable[..., KernelProcess]) -> Probe:
    """Start stock kernels, with the probe in and a baseline taken."""

    def start() -> Kernel:
        process = start_kernel()
        return Kernel(process, process.client())

    return start


def left(kernel: Kernel, tool: Tool, order: tuple[str, ...]) -> dict[str, str]:
    """What is not as in the baseline after all of `order`: by place, without addresses."""
    for step in order:
        if step == "on":
            kernel.run(tool.on)
            kernel.run(tool.use)
        elif step == "off":
            kernel.run(tool.off)
        else:
            kernel.run(step)
            if step == LOAD:
                kernel.run("print('child')", subshell=kernel.wire.create())
    kernel.displace_the_last_error()
    found = {}
    for line in kernel.differences():
        place, _, what = line.partition(": was ")
        found[place] = re.sub(r"0x[0-9a-f]+|\d+", "N", what)
    return found


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_orders(probe: Probe, tool: Tool, order: tuple[str, ...]) -> None:
    if tool not in LEFT_BY:
        LEFT_BY[tool] = left(probe(), tool, ("on", "off"))
    expected = LEFT_BY[tool]
    kernel = probe()
    assert left(kernel, tool, order) == expected
    if not (tool.copies and "on" in order[order.index(LOAD) : order.index(UNLOAD)]):
        kernel.assert_nothing_of_ours()
    assert kernel.run("print('goes on')") == "goes on\n"
