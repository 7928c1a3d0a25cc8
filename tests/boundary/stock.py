"""The client's side of `probe.py`: is this kernel stock again? (G6)"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

from tests.wire import Answer, KernelProcess, Wire

SOURCE = Path(__file__).with_name("probe.py").read_text(encoding="utf-8")

INSTALL = f"""
import concurrent.futures.thread, sys, types
probe = types.ModuleType("probe")
sys.modules["probe"] = probe
exec(compile({SOURCE!r}, "probe.py", "exec"), vars(probe))
probe.take_between_cells_on_signal()
"""


def ok(answer: Answer) -> Answer:
    assert answer.status == "ok", (answer.content, answer.text("stderr"))
    return answer


class Kernel:
    """A kernel process, a client, and the probe inside. Takes a baseline of the stock kernel."""

    def __init__(self, process: KernelProcess, wire: Wire, *, baseline: bool = True) -> None:
        self.process = process
        self.wire = wire
        ok(wire.execute(INSTALL))
        if baseline:
            self.baseline()

    # -- cells ---------------------------------------------------------------------------------

    def run(self, code: str, **where: Any) -> str:
        """Run a cell that must go well; returns what it printed."""
        return ok(self.wire.execute(code, **where)).text()

    def ask(self, expression: str, **where: Any) -> Any:
        """The value of an expression in the kernel process."""
        text = self.run(f"import json, probe; print(json.dumps({expression}))", **where)
        return json.loads(text)

    def load(self) -> None:
        ok(self.wire.execute("%load_ext ipyext"))

    def unload(self) -> None:
        ok(self.wire.execute("%unload_ext ipyext"))

    def displace_the_last_error(self) -> None:
        """`sys.last_value` keeps the frames of the last error alive, with all that is in them."""
        self.wire.execute("1/0", stop_on_error=False)

    # -- snapshots -----------------------------------------------------------------------------

    def take(self, name: str) -> None:
        """Two snapshots: one from inside a cell, one while main is idle between two cells."""
        self.run(f"import probe; probe.take('{name} (in a cell)')")
        self.run(f"import probe; probe.notes['signal'] = '{name} (between cells)'")
        # The cell's idle is published after its last hook, so main is between cells now, and the
        # handler runs before main gets to the next cell.
        self.process.signal(signal.SIGUSR1)
        self.run(f"import probe; assert '{name} (between cells)' in probe.snapshots")

    def baseline(self) -> None:
        # Things that a kernel makes when they are first asked for: lazy magics, default traits.
        self.run(
            "%load_ext IPython.extensions.storemagic\n%unload_ext IPython.extensions.storemagic"
        )
        self.wire.control("kernel_info_request")
        self.run("get_ipython().kernel.stop_on_error_timeout")
        self.run("get_ipython().display_pub.topic, get_ipython().display_pub._thread_local")
        self.run("import asyncio; await asyncio.sleep(0)")
        self.displace_the_last_error()
        self.take("warm")
        self.ask("probe.resources()")
        self.take("stock")
        self.resources = self.ask("probe.resources()")

    def differences(self, name: str = "now") -> list[str]:
        """What differs from the baseline, one line each."""
        self.take(name)
        found = []
        for moment in ("in a cell", "between cells"):
            found += self.ask(f"probe.differences('stock ({moment})', '{name} ({moment})')")
            self.run(f"probe.forget('{name} ({moment})')")
        return found

    def assert_stock(self, *left: str, held: bool = False) -> None:
        """Everything is the same object as before the load, no thread and no descriptor is left.

        Args:
            left: paths that may differ, for what another tool holds on to.
            held: whether what it holds on to is one of our functions.
        """
        found = [line for line in self.differences() if not line.startswith(left or ("\0",))]
        assert not found, "\n".join(found)
        self.assert_no_leak(held)

    def assert_no_leak(self, held: bool = False) -> None:
        # Threads that were told to end and sockets that libzmq's reaper closes take a moment.
        end = time.monotonic() + 5.0
        while (found := self._resources(held)) != self.resources:
            assert time.monotonic() < end, f"{found} is not as before: {self.resources}"
            self.wire.pump(0.02)

    def assert_nothing_of_ours(self) -> None:
        """No object and no thread of the extension is left, whatever else there is by now."""
        end = time.monotonic() + 5.0
        while True:
            found = self.ask("probe.resources()")
            threads = [name for name in found["threads"] if name.startswith(("ipyext", "subshell"))]
            if not (found["ours"] or threads):
                return
            assert time.monotonic() < end, f"{found['ours']} and {threads} are left"
            self.wire.pump(0.02)

    def _resources(self, held: bool) -> Any:
        found = self.ask("probe.resources()")
        return {**found, "ours": []} if held else found
