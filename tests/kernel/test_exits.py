"""`exit` and `quit`: in a subshell they end that subshell, in main the kernel."""

from __future__ import annotations

import pytest

from tests.wire import TIMEOUT, KernelProcess, Wire

WAYS = ["exit", "exit()", "quit", "quit()", "get_ipython().ask_exit()"]


@pytest.mark.parametrize("code", WAYS)
def test_a_subshell_ends_and_the_kernel_goes_on(kernel: Wire, child: str, code: str) -> None:
    looping = kernel.begin("while not go.is_set(): pass")
    other, leaving = kernel.create(), kernel.create()
    answer = kernel.execute(code, subshell=leaving)
    assert (answer.status, answer.text()) == ("ok", "")
    assert answer.content["payload"] == [{"source": "ask_exit", "keepkernel": True}]
    assert leaving not in kernel.control("list_subshell_request")["subshell_id"]
    assert kernel.execute("go.set()\n1 + 1", subshell=other).result == "2"
    assert kernel.wait(looping)[0].status == "ok"
    assert kernel.execute("2 + 2").result == "4"


def test_what_is_queued_behind_it_is_answered(kernel: Wire, child: str) -> None:
    running = kernel.begin("go.wait()\nexit()\nprint('more')", subshell=child)
    queued = kernel.send_execute("1 + 1", subshell=child)
    kernel.execute("go.set()")
    first, second = kernel.wait(running, queued)
    assert (first.status, first.text(), second.status) == ("ok", "begun\nmore\n", "error")


@pytest.mark.parametrize("code", ["exit", "quit()"])
def test_in_main_the_kernel_ends(
    kernel: Wire, process: KernelProcess, child: str, code: str
) -> None:
    """Also where a subshell has used the same object before."""
    kernel.execute("exit", subshell=child)
    answer = kernel.execute(code)
    assert answer.content["payload"] == [{"source": "ask_exit", "keepkernel": False}]
    assert process.gone_within(TIMEOUT)
