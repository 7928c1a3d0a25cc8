"""Comms and widgets for tests: what a kernel runs, and the messages that JupyterLab sends."""

from __future__ import annotations

from typing import Any

from tests.wire import Answer, Wire

MAIN, COMMS = "MainThread", "subshell-ipyext-comms"

SETUP = """
import ipywidgets
from ipywidgets.comm import create_comm
manager = get_ipython().kernel.comm_manager
first, second = threading.Event(), threading.Event()
heard, inside, twice, threads = {}, set(), [], set()
def new(target):
    comm = create_comm(target_name=target)
    def hear(message):
        data, key = message["content"]["data"], comm.comm_id
        if key in inside:
            twice.append((key, data["n"]))
        inside.add(key)
        threads.add(threading.current_thread().name)
        print(threading.current_thread().name)
        if "hold" in data:
            print("held", flush=True)
            globals()[data["hold"]].wait(30)
        if "slow" in data:
            time.sleep(0.001)  # two at once would meet here
        heard.setdefault(key, []).append(data["n"])
        inside.discard(key)
    comm.on_msg(hear)
    print(comm.comm_id)
    return comm
"""
SLIDER = """
slider, label = ipywidgets.IntSlider(), ipywidgets.Label()
def moved(change):
    print("moved to", change["new"])
    label.value = str(change["new"])
slider.observe(moved, "value")
"""


def new(kernel: Wire, target: str = "any", **where: Any) -> str:
    """Make a comm in the kernel that prints the thread of its callback; returns its id."""
    count = f"comm_{len(kernel.sent)}"
    return kernel.execute(f"{count} = new({target!r})", **where).text().strip()


def tell(kernel: Wire, comm_id: str, n: int = 0, subshell: str | None = None, **data: Any) -> str:
    return kernel.send(
        "comm_msg", {"comm_id": comm_id, "data": {"n": n, **data}}, subshell=subshell
    )


def widget(kernel: Wire, code: str, subshell: str | None = None) -> str:
    """Run `code` and return the id of the comm of the widget that its last line names."""
    lines = code.splitlines()
    lines[-1] = f"print(({lines[-1]}).model_id)"
    return kernel.execute("\n".join(lines), subshell=subshell).text().strip()


def move(kernel: Wire, comm_id: str, value: float, **where: Any) -> str:
    data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    return kernel.send("comm_msg", {"comm_id": comm_id, "data": data}, **where)


def click(kernel: Wire, comm_id: str, **where: Any) -> str:
    data = {"method": "custom", "content": {"event": "click"}}
    return kernel.send("comm_msg", {"comm_id": comm_id, "data": data}, **where)


def updates(answer: Answer) -> list[tuple[str, Any]]:
    """The widget states that the kernel has sent, without echoes of what it was sent."""
    return [
        (content["comm_id"], content["data"]["state"])
        for content in answer.of("comm_msg")
        if content["data"].get("method") == "update"
    ]
