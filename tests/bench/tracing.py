"""What being debugged costs code that runs: nothing, debugpy by its settings, and this extension.

    python -m tests.bench.tracing [--rounds N]

All of them are there at once and take turns. CPU time of the thread; medians. Breakpoints are set
in a function that is not called, in the file that is measured, or nowhere. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from tabulate import tabulate

from tests.dap import JupyterDap
from tests.tcp_dap import TcpDap
from tests.wire import KernelProcess

CODE = """\
import time
def turns():
    t = time.thread_time()
    for _ in range(1_000_000): pass
    return (time.thread_time() - t) * 1000
def call(n):
    return n
def calls():
    t = time.thread_time()
    for n in range(100_000): call(n)
    return (time.thread_time() - t) * 1000
def another():
    return 1
"""
LINE = CODE.splitlines().index("def another():") + 2
SERVE = """\
def serve():
    import sys
    for line in sys.stdin:
        print(turns(), calls(), flush=True)
"""
PLAIN = f"{CODE}{SERVE}serve()\n"
DEBUGGED = f"""\
{CODE}{SERVE}
import debugpy, sys
print(debugpy.listen(("127.0.0.1", 0))[1], flush=True)
debugpy.wait_for_client()
serve()
"""
# On Python 3.12 on debugpy takes sys.monitoring by itself, and traces if it is told to.
SETTINGS: dict[str, dict[str, str]] = {"debugpy": {}}
if sys.version_info >= (3, 12):
    SETTINGS["debugpy, tracing"] = {"PYDEVD_USE_SYS_MONITORING": "NO"}
SETTINGS["debugpy without its compiled part"] = {"PYDEVD_USE_CYTHON": "NO"}

Turn = Callable[[], tuple[float, ...]]


def script(stack: ExitStack, code: str, env: dict[str, str], breakpoint_: bool) -> Turn:
    """A Python process that runs `code`; debugged if it says where."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    file = Path(folder, "measured.py")
    file.write_text(code)
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **env, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            text=True,
        )
    )
    stack.callback(process.kill)
    assert process.stdin is not None
    assert process.stdout is not None
    to, of = process.stdin, process.stdout
    if code == DEBUGGED:
        client = TcpDap("127.0.0.1", int(of.readline()))
        client.check = lambda message: message
        stack.callback(client.close)
        client.do("initialize", clientID="bench", adapterID="bench", pathFormat="path")
        client.begin("attach", justMyCode=False)
        client.event("initialized")
        if breakpoint_:
            lines = [{"line": LINE}]
            client.do("setBreakpoints", source={"path": str(file)}, breakpoints=lines)
        client.do("configurationDone")

    def turn() -> tuple[float, ...]:
        to.write("\n")
        to.flush()
        return tuple(map(float, of.readline().split()))

    return turn


def kernel(stack: ExitStack, breakpoint_: bool, *, debugged: bool = True) -> Turn:
    """A kernel with the extension."""
    process = KernelProcess("--ext", "ipyext")
    stack.callback(process.close)
    wire = process.client()
    wire.execute("1")
    if debugged:
        client = JupyterDap(wire)
        client.attach()
        path = client.cell(CODE)
        if breakpoint_:
            client.set_breakpoints(path, LINE)
    wire.execute(CODE)

    def turn() -> tuple[float, ...]:
        return tuple(map(float, wire.execute("print(turns(), calls())").text().split()))

    return turn


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    rows = []
    for where in ("nowhere", "in the file"):
        with ExitStack() as stack:
            there = where != "nowhere"
            turns: dict[str, Turn] = {
                "no debugger": script(stack, PLAIN, {}, there),
                **{name: script(stack, DEBUGGED, env, there) for name, env in SETTINGS.items()},
                "ipyext, off": kernel(stack, there, debugged=False),
                "ipyext": kernel(stack, there),
            }
            found: dict[str, list[tuple[float, ...]]] = {name: [] for name in turns}
            for index in range(rounds + 2):
                for name, turn in turns.items():
                    times = turn()
                    if index > 1:  # warmed up
                        found[name].append(times)
            for name, times_of in found.items():
                medians = [statistics.median(column) for column in zip(*times_of, strict=True)]
                rows.append([name, where, *(f"{one:.1f}" for one in medians)])
    title = f"Python {sys.version.split()[0]}, debugpy {version('debugpy')} (medians, ms)"
    print(tabulate(rows, [title, "breakpoint", "1 M loop turns", "100 k calls"]))  # noqa: T201


if __name__ == "__main__":
    main()
