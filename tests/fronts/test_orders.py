"""G6 beside other tools: whatever comes and goes in which order, the kernel is stock at the end.

What a tool itself leaves in a kernel is found out first, in a kernel that never had the extension.
With the extension, the same is left and nothing else, and none of it is ours. In between, after
each step, all of what is there is used: in main, and in a child as long as we are there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.boundary.stock import Kernel
from tests.conftest import LANE
from tests.fronts.home import Home
from tests.fronts.tools import TOOLS, Tool
from tests.wire import KernelProcess

pytestmark = pytest.mark.timeout(600)

Probe = Callable[[], Kernel]
Tools = tuple[Tool, ...]

LOAD, UNLOAD = "%load_ext ipyext", "%unload_ext ipyext"
# `on` and `off` are the tool's.
ORDERS = {
    "theirs inside ours": (LOAD, "on", "off", UNLOAD),
    "ours inside theirs": ("on", LOAD, UNLOAD, "off"),
    "ours first, theirs stays": (LOAD, "on", UNLOAD, "off"),
    "theirs first, ours stays": ("on", LOAD, "off", UNLOAD),
}
EACH = {name: (tool,) for name, tool in TOOLS.items()}
ALL = tuple(tool for tool in TOOLS.values() if tool.together)
WAIT = 200.0  # seconds; some take their time to come
LEFT_BY: dict[Tools, dict[str, str]] = {}  # without the extension; found out once


@pytest.fixture
def probe(start_kernel: Callable[..., KernelProcess], home: Home) -> Probe:
    """Start stock kernels, with the probe in and a baseline taken. Engines have a home, too."""
    env = {name: home.env[name] for name in ("HOME", "PATH", "JUPYTER_PLATFORM_DIRS")}

    def start() -> Kernel:
        process = start_kernel(env=env)
        return Kernel(process, process.client())

    return start


class Scene:
    """A kernel in which tools and the extension come and go."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.there: list[Tool] = []
        self.loaded = False

    def run(self, code: str, subshell: str | None = None) -> list[str]:
        """Run a cell that must go well; returns what it put out, and the types of that."""
        asked = self.kernel.wire.send_execute(code, subshell=subshell)
        (answer,) = self.kernel.wire.wait(asked, timeout=WAIT)
        assert answer.status == "ok", (code, answer.content, answer.text("stderr"))
        rich = [*answer.of("display_data"), *answer.of("execute_result")]
        return [answer.text("stderr"), *(kind for content in rich for kind in content["data"])]

    def step(self, step: str, tools: Tools) -> None:
        if step == "on":
            for tool in tools:
                self.run(tool.on)
                self.there.append(tool)
                self.use()
        elif step == "off":
            for tool in reversed(tools):
                self.run(tool.off)
                self.there.remove(tool)
                self.use()
        else:
            self.run(step)
            self.loaded = step == LOAD
            self.use()

    def use(self) -> None:
        """Use all that is there, in main, and in a child while main is busy.

        It is a new child: coverage measures threads that begin after it has come.
        """
        self.use_in(None)
        wire = self.kernel.wire
        if self.loaded:
            self.run("import threading; go_on = threading.Event()")
            busy = wire.begin("go_on.wait()")
            child = wire.create()
            self.use_in(child)
            self.run("go_on.set()", child)
            assert wire.wait(busy)[0].result == "True"
            assert wire.delete(child)["status"] == "ok"
        if LANE > 5 or self.loaded:  # what jupyter-resource-usage asks
            assert wire.control("usage_request")["kernel_memory"] > 0

    def use_in(self, subshell: str | None) -> None:
        for tool in self.there:
            shown = [text for cell in tool.use for text in self.run(cell, subshell)]
            assert any(tool.shows in text for text in shown), (tool, shown)
        assert self.kernel.wire.stray_output() == []


def left(kernel: Kernel, tools: Tools, order: tuple[str, ...]) -> dict[str, str]:
    """What is not as in the baseline after all of `order`: by place, without addresses."""
    scene = Scene(kernel)
    for step in order:
        scene.step(step, tools)
    kernel.displace_the_last_error()
    found = {}
    for line in kernel.differences():
        place, _, what = line.partition(": was ")
        found[place] = re.sub(r"0x[0-9a-f]+|\d+", "N", what)
    return found


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("tools", [*EACH.values(), ALL], ids=[*EACH, "all in one kernel"])
def test_orders(probe: Probe, tools: Tools, order: tuple[str, ...]) -> None:
    if tools not in LEFT_BY:
        LEFT_BY[tools] = left(probe(), tools, ("on", "off"))
    expected = LEFT_BY[tools]
    kernel = probe()
    assert left(kernel, tools, order) == expected
    copied = any(tool.copies for tool in tools)
    if not (copied and "on" in order[order.index(LOAD) : order.index(UNLOAD)]):
        kernel.assert_nothing_of_ours()
    assert kernel.run("print('goes on')") == "goes on\n"
