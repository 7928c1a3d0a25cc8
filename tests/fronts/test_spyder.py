"""spyder-kernels: a kernel class, a shell class and comms on two channels, of another project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.boundary.stock import Kernel
from tests.wire import KernelProcess, Wire

COMM = "c" * 32


@pytest.fixture
def process(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    """What Spyder starts for a console."""
    return start_kernel(module="spyder_kernels.console")


def call(kernel: Wire, channel: str, name: str, *arguments: Any) -> Any:
    """Call a function of the kernel through Spyder's comm; returns what it returns."""
    content = {
        "call_name": name,
        "call_id": f"call {len(kernel.sent)}",
        "settings": {"blocking": True, "send_reply": True, "timeout": 3},
        "call_args": list(arguments),
        "call_kwargs": {},
        "buffered_args": [],
        "buffered_kwargs": [],
    }
    data = {"spyder_msg_type": "remote_call", "content": content}
    msg_id = kernel.send("comm_msg", {"comm_id": COMM, "data": data}, channel=channel)
    (answer,) = kernel.wait(msg_id)
    replies = [found["data"]["content"] for found in answer.of("comm_msg")]
    (reply,) = [found for found in replies if found.get("call_id") == content["call_id"]]
    assert not reply["is_error"], reply
    return reply["call_return_value"]


def open_comm(kernel: Wire) -> None:
    content = {"comm_id": COMM, "target_name": "spyder_api", "data": {}}
    kernel.wait(kernel.send("comm_open", content))


def close_comm(kernel: Wire) -> None:
    kernel.wait(kernel.send("comm_close", {"comm_id": COMM, "data": {}}))


def test_it_is_their_kernel(stock: Wire) -> None:
    answer = stock.execute("type(get_ipython().kernel).__module__, type(get_ipython()).__module__")
    assert answer.result == "('spyder_kernels.console.kernel', 'spyder_kernels.console.shell')"


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_their_calls_while_main_is_busy(kernel: Wire, channel: str) -> None:
    open_comm(kernel)
    assert kernel.execute("x = 5").status == "ok"
    assert call(kernel, channel, "get_value", "x") == 5
    child = kernel.create()
    loop = kernel.begin("while x == 5: pass\nx")
    assert call(kernel, channel, "get_value", "x") == 5
    assert kernel.execute("x", subshell=child).result == "5"
    assert kernel.execute("x = 6", subshell=child).status == "ok"
    assert kernel.wait(loop)[0].result == "6"
    assert call(kernel, channel, "get_value", "x") == 6


def test_cells_in_children(kernel: Wire) -> None:
    answer = kernel.execute("%%subshell look\nprint('printed'); 6 * 7")
    assert (answer.text(), answer.result) == ("printed\n", "42")
    assert kernel.execute("%%subshell look\n1 / 0").content["ename"] == "ZeroDivisionError"
    loop = kernel.begin("while True: pass")
    kernel.control("interrupt_request")
    assert kernel.wait(loop)[0].content["ename"] == "KeyboardInterrupt"


def go_on(kernel: Wire) -> None:
    """Their calls are answered on both channels, and cells run."""
    assert kernel.execute("x = 5").status == "ok"
    for channel in "shell", "control":
        assert call(kernel, channel, "get_value", "x") == 5


@pytest.mark.parametrize("comes", ["before us", "after us"])
def test_it_comes_off(process: KernelProcess, stock: Wire, comes: str) -> None:
    """Their classes, handlers and comms are the objects that they were; Spyder stays connected."""
    open_comm(stock)
    go_on(stock)
    if comes == "after us":
        close_comm(stock)
    kernel = Kernel(process, stock)
    kernel.load()
    if comes == "after us":
        open_comm(stock)
    go_on(stock)
    assert kernel.run("print('child')", subshell=stock.create()) == "child\n"
    go_on(stock)
    kernel.unload()
    go_on(stock)
    if comes == "after us":
        close_comm(stock)
        kernel.displace_the_last_error()
    kernel.assert_stock()
    if comes == "before us":
        go_on(stock)


def test_spyder_goes_first(process: KernelProcess, stock: Wire) -> None:
    kernel = Kernel(process, stock)
    open_comm(stock)
    go_on(stock)
    kernel.load()
    go_on(stock)
    close_comm(stock)
    assert kernel.run("print('child')", subshell=stock.create()) == "child\n"
    kernel.unload()
    kernel.assert_nothing_of_ours()
    open_comm(stock)
    go_on(stock)
