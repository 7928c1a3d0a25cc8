"""What JupyterLab 4.6 says to the debugger, and means."""

from __future__ import annotations

from tests.dap import JupyterDap
from tests.wire import Wire

LOOP = "import time\nwhile True:\n    time.sleep(0.01)"


def test_jupyterlab_pauses_what_runs(kernel: Wire, debugger: JupyterDap) -> None:
    """It says thread 1, whatever is busy."""
    first, second = kernel.create("first"), kernel.create("second")
    places = {"main": None, "subshell second": second, "subshell first": first}
    loops = {label: kernel.begin(LOOP, subshell=where) for label, where in places.items()}
    for label, where in places.items():
        debugger.forget()
        debugger.do("pause", threadId=1)
        thread = debugger.wait_event("stopped")["body"]["threadId"]
        assert thread == debugger.names()[label]
        kernel.control("interrupt_request", {"subshell_id": where})
        assert kernel.wait(loops[label])[0].content["ename"] == "KeyboardInterrupt"
