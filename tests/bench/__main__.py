"""Side by side with the stock kernel of the same environment: a table, and a plot if asked for.

    python -m tests.bench [--rounds N] [--plot FILE] [--json FILE] [--debugger]

Both kernels run at the same time and take turns request by request, so that a noisy machine is
equally noisy for both. Quote medians and ratios of one run. Nothing is asserted here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import psutil
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
from jupyter_client.manager import KernelManager
from tabulate import tabulate

from tests.bench import debugger
from tests.wire import KernelProcess, Wire

T = TypeVar("T")
LOOP = "stop = False\nwhile not stop: pass"
CHILDREN = 50
INTERRUPTS = 15
RESTARTS = 5
STARTS = 15


@dataclass
class Side:
    """One of the two kernels."""

    name: str
    process: KernelProcess
    wire: Wire
    subshells: bool
    arguments: tuple[str, ...]
    child: str | None = None
    times: dict[str, list[float]] = field(default_factory=dict)

    def time(self, what: str, action: Callable[[], T]) -> T:
        start = time.perf_counter()
        found = action()
        self.times.setdefault(what, []).append((time.perf_counter() - start) * 1000)
        return found


def reply_of(wire: Wire, msg_id: str) -> None:
    """Wait for the reply only: what a person waits for."""
    wire.until(lambda: wire.answers[msg_id].reply is not None)


def asked(wire: Wire, msg_type: str, content: Any = None) -> str:
    """Send a request on control and wait for its reply; returns its id."""
    msg_id = wire.send(msg_type, content, channel="control")
    reply_of(wire, msg_id)
    return msg_id


def start(name: str, *arguments: str) -> Side:
    process = KernelProcess(*arguments)
    wire = process.client()
    features = wire.request("kernel_info_request").content.get("supported_features", [])
    wire.execute("import os, time, threading")
    return Side(name, process, wire, "kernel subshells" in features, arguments)


def idle_main(side: Side, rounds: int) -> None:
    wire = side.wire
    side.time("execute round trip, main", lambda: wire.execute("1"))
    side.time("control reply, main idle", lambda: wire.control("kernel_info_request"))
    if side.subshells:
        made = side.time("create subshell", lambda: asked(wire, "create_subshell_request"))
        content = {"subshell_id": wire.answers[made].content["subshell_id"]}
        gone = side.time("delete subshell", lambda: asked(wire, "delete_subshell_request", content))
        wire.wait(made, gone)


def busy_main(side: Side, rounds: int) -> None:
    wire = side.wire
    side.time(
        "control reply, main loops",
        lambda: asked(wire, "kernel_info_request"),
    )
    if side.child:
        side.time(
            "execute in a child, main loops",
            lambda: reply_of(wire, wire.send_execute("1", subshell=side.child)),
        )
    if side.name == "ipyext":
        side.time(
            "kernel_info on shell, main loops",
            lambda: reply_of(wire, wire.send("kernel_info_request")),
        )


def interrupts(side: Side) -> None:
    """From the interrupt of a loop in Python to the error reply of its cell."""
    wire = side.wire

    def interrupted(shell: str | None, interrupt: Callable[[], Any]) -> None:
        cell = wire.begin("while True: pass", subshell=shell)

        def react() -> None:
            interrupt()
            reply_of(wire, cell)

        where = "main" if shell is None else "a child"
        side.time(f"interrupt of a loop, {where}", react)
        wire.wait(cell)

    interrupted(None, side.process.signal)
    if side.name == "ipyext" and side.child:  # no interrupt reaches a child of the stock kernel
        content = {"subshell_id": side.child}
        interrupted(side.child, lambda: wire.send("interrupt_request", content, channel="control"))


def starts(sides: list[Side]) -> None:
    """From the start of a process to its first answer.

    The file with its ports is looked for every 0.01 s.
    """
    for _ in range(STARTS):
        for side in sides:
            begin = time.perf_counter()
            process = KernelProcess(*side.arguments)
            try:
                wire = process.connect()
                reply_of(wire, wire.send("kernel_info_request"))
                side.times.setdefault("start, the kernel answers", []).append(
                    (time.perf_counter() - begin) * 1000
                )
            finally:
                process.close()


def restarts(sides: list[Side]) -> None:
    """Restart by jupyter_client: ours with three children in endless loops, stock without any.

    The manager looks every 0.1 s whether the process has gone.
    """
    managers = [KernelManager(kernel_name=NATIVE_KERNEL_NAME) for _ in sides]
    try:
        for side, manager in zip(sides, managers, strict=True):
            ours = side.name == "ipyext"
            manager.start_kernel(extra_arguments=["--ext", "ipyext"] if ours else [])
        for _ in range(RESTARTS):
            for side, manager in zip(sides, managers, strict=True):
                restart(side, manager)
    finally:
        for manager in managers:
            manager.shutdown_kernel(now=True)


def restart(side: Side, manager: KernelManager) -> None:
    wire = connected(manager)
    if side.name == "ipyext":
        for _ in range(3):
            wire.begin("while True: pass", subshell=wire.create())
    begin = time.perf_counter()
    manager.restart_kernel()
    wire.close()
    side.times.setdefault("restart, the process has gone", []).append(
        (time.perf_counter() - begin) * 1000
    )
    connected(manager).close()
    side.times.setdefault("restart, the new one answers", []).append(
        (time.perf_counter() - begin) * 1000
    )


def connected(manager: KernelManager) -> Wire:
    """A client that has had an answer."""
    info = dict(manager.get_connection_info())
    wire = Wire({**info, "key": info["key"].decode()})
    probes: list[str] = []
    while not any(wire.answers[probe].idle for probe in probes):
        probes.append(wire.send("kernel_info_request"))
        wire.pump(0.02)  # a subscription reaches the kernel later than a request
    return wire


def loop_speed(side: Side) -> None:
    """How fast a plain loop on main is, in ms for two million turns."""
    code = (
        "t = time.perf_counter()\nfor _ in range(2_000_000): pass\n"
        "print((time.perf_counter() - t) * 1000)"
    )
    text = side.wire.execute(code).text()
    side.times.setdefault("2 M loop turns on main", []).append(float(text))


def contended_speed(side: Side) -> None:
    """Two Python threads that compete for the GIL, in ms: the price of a short switch interval."""
    code = """
def work():
    for _ in range(1_000_000): pass
ts = [threading.Thread(target=work) for _ in range(2)]
t = time.perf_counter(); [x.start() for x in ts]; [x.join() for x in ts]
print((time.perf_counter() - t) * 1000)"""
    side.times.setdefault("two threads competing", []).append(float(side.wire.execute(code).text()))


def footprint(side: Side) -> dict[str, float]:
    """Descriptors and kB of memory for each of `CHILDREN` children that have run a cell."""
    info = psutil.Process(side.process.process.pid)
    if not side.subshells:
        return {}
    side.wire.execute("1", subshell=side.wire.create())  # what the first one alone costs
    descriptors, memory = info.num_fds(), info.memory_info().rss
    children = [side.wire.create() for _ in range(CHILDREN)]
    new = (info.num_fds() - descriptors) / CHILDREN, (info.memory_info().rss - memory) / CHILDREN
    for child in children:
        side.wire.execute("1", subshell=child)
    used = (info.num_fds() - descriptors) / CHILDREN, (info.memory_info().rss - memory) / CHILDREN
    cpu = sum(info.cpu_times()[:2])
    start_of_second = time.perf_counter()
    side.wire.pump(2.0)
    idle = (sum(info.cpu_times()[:2]) - cpu) / (time.perf_counter() - start_of_second) * 100
    for child in children:
        side.wire.control("delete_subshell_request", {"subshell_id": child})
    return {
        "descriptors per new child": new[0],
        "descriptors per used child": used[0],
        "kB per new child": new[1] / 1024,
        "kB per used child": used[1] / 1024,
        f"idle CPU with {CHILDREN} children, %": idle,
    }


def row(name: str, stock: list[float] | None, ours: list[float] | None) -> list[str]:
    def cell(values: list[float] | None) -> str:
        return f"{statistics.median(values):.2f}" if values else "-"

    known = stock and ours and statistics.median(stock)
    ratio = (
        f"{statistics.median(ours) / statistics.median(stock):.2f}"
        if known and ours and stock
        else "-"
    )
    return [name, cell(stock), cell(ours), ratio]


def plot(sides: list[Side], path: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = list(sides[1].times)
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(names) + 1))
    for offset, side in zip((-0.2, 0.2), sides, strict=True):
        heights = [statistics.median(side.times.get(name, [0.0])) for name in names]
        places = [index + offset for index in range(len(names))]
        axes.barh(places, heights, height=0.38, label=side.name)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("median, ms")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def everything_else(sides: list[Side], rounds: int) -> list[dict[str, float]]:
    """All but the debugger; returns the footprint of each side's children."""
    for index in range(rounds + 10):
        for side in sides:
            idle_main(side, index)
        if index == 9:  # warmed up
            for side in sides:
                side.times.clear()
    for _ in range(7):
        for side in sides:
            loop_speed(side)
            contended_speed(side)
    for side in sides:
        if side.subshells:
            side.child = side.wire.create()
            side.wire.execute("1", subshell=side.child)
    for side in sides:
        if side.name == "stock" and version("ipykernel").startswith("5."):
            continue  # no control thread: it would answer when the loop ends
        loop = side.wire.send_execute(LOOP)
        side.wire.until(lambda s=side, i=loop: "busy" in s.wire.answers[i].states)
        for _ in range(rounds // 2):
            busy_main(side, 0)
        side.process.signal()
        side.wire.wait(loop)
    for _ in range(INTERRUPTS):
        for side in sides:
            interrupts(side)
    starts(sides)
    restarts(sides)
    return [footprint(side) for side in sides]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200, help="measurements of each kind")
    parser.add_argument("--plot", metavar="FILE", help="also draw the table")
    parser.add_argument("--json", metavar="FILE", help="also write the medians")
    parser.add_argument("--debugger", action="store_true", help="measure nothing but the debugger")
    options = parser.parse_args()
    sides = [start("stock"), start("ipyext", "--ext", "ipyext")]
    try:
        if options.debugger:
            prints: list[dict[str, float]] = [{}, {}]
            old = version("ipykernel").startswith("5.")
            debugger.measure(sides[0], has_debugger=not old, busy_start=False)
            debugger.measure(sides[1], has_debugger=True, busy_start=True)
        else:
            prints = everything_else(sides, options.rounds)
    finally:
        for side in sides:
            side.process.close()
    names = list(dict.fromkeys([*sides[0].times, *sides[1].times]))
    rows = [row(name, sides[0].times.get(name), sides[1].times.get(name)) for name in names]
    for name in prints[1]:
        stock = prints[0].get(name)
        rows.append(row(name, None if stock is None else [stock], [prints[1][name]]))
    title = f"ipykernel {version('ipykernel')}, IPython {version('ipython')} (medians, ms)"
    print(title)  # noqa: T201
    print(tabulate(rows, ("what", "stock", "ipyext", "ratio"), disable_numparse=True))  # noqa: T201
    if options.json:
        Path(options.json).write_text(json.dumps({"title": title, "rows": rows}, indent=1))
    if options.plot:
        plot(sides, options.plot)


if __name__ == "__main__":
    main()
