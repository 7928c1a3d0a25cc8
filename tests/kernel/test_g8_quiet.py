"""G8: many idle subshells cost next to nothing, and everything is given back."""

from __future__ import annotations

import itertools
import os
import stat
import statistics
import time

import psutil
import pytest

from tests.wire import KernelProcess, Wire

MANY = 50
SOCKETS = (
    "import gc, zmq\n"
    "sum(isinstance(thing, zmq.Socket) and not thing.closed for thing in gc.get_objects())"
)


@pytest.fixture
def probe(kernel: Wire, process: KernelProcess) -> psutil.Process:
    kernel.execute("1", subshell=kernel.create("warm-up"))  # what is made once, on first use
    kernel.execute("%subshell delete warm-up")
    return psutil.Process(process.process.pid)


def fill(kernel: Wire) -> list[str]:
    made = [kernel.create() for _ in range(MANY)]
    kernel.wait(*(kernel.send_execute("1", subshell=subshell) for subshell in made))
    return made


def empty(kernel: Wire, made: list[str]) -> None:
    for subshell in made:
        assert kernel.delete(subshell) == {"status": "ok"}


def test_idle_children_use_no_processor(kernel: Wire, probe: psutil.Process) -> None:
    fill(kernel)
    used = []
    for _ in range(3):  # a collection or a timer of somebody else's may fall into one of them
        before = sum(probe.cpu_times()[:2])
        time.sleep(1)
        used.append(sum(probe.cpu_times()[:2]) - before)
    assert min(used) <= 0.05


def test_idle_children_do_not_wake_up(kernel: Wire, probe: psutil.Process) -> None:
    """Two seconds of idleness: polling threads would switch contexts all the time."""
    fill(kernel)

    def switches() -> int:
        return int(probe.num_ctx_switches().voluntary)

    found = []
    for _ in range(3):
        before = switches()
        time.sleep(1)
        found.append(switches() - before)
    assert min(found) < MANY


@pytest.mark.fault
def test_three_descriptors_a_child_at_most(kernel: Wire, probe: psutil.Process) -> None:
    before = probe.num_fds()
    made = fill(kernel)
    assert probe.num_fds() - before <= 3 * MANY + 5
    empty(kernel, made)
    kernel.execute("import gc; _ = gc.collect()")
    assert probe.num_fds() - before <= 5


def test_descriptors_do_not_leak(kernel: Wire, probe: psutil.Process) -> None:
    empty(kernel, fill(kernel))
    before = probe.num_fds()
    for _ in range(3):
        empty(kernel, fill(kernel))
    assert probe.num_fds() - before <= 5


def test_no_zeromq_sockets_a_child(kernel: Wire, probe: psutil.Process) -> None:
    before = int(str(kernel.execute(SOCKETS).result))
    made = fill(kernel)
    assert int(str(kernel.execute(SOCKETS).result)) == before
    empty(kernel, made)
    assert int(str(kernel.execute(SOCKETS).result)) == before


def test_threads_are_given_back(kernel: Wire, probe: psutil.Process) -> None:
    before = probe.num_threads()
    empty(kernel, fill(kernel))
    kernel.until(lambda: probe.num_threads() <= before, what="end of the threads")


def test_shells_are_not_kept_alive(kernel: Wire, probe: psutil.Process) -> None:
    cell = (
        "import gc\nfor _ in range(3): collected = gc.collect()\n"
        "sum(type(thing).__name__ == 'ChildShell' for thing in gc.get_objects())"
    )
    before = int(str(kernel.execute(cell).result))
    empty(kernel, fill(kernel))
    assert int(str(kernel.execute(cell).result)) <= before + 1


def test_memory_is_given_back(kernel: Wire, probe: psutil.Process) -> None:
    """What is left of a deleted child is its output, which is kept: 3 to 5 kB."""
    sizes = []
    for _ in range(8):
        empty(kernel, fill(kernel))
        kernel.execute("import gc; _ = gc.collect()")
        sizes.append(probe.memory_info().rss)
    grown = [later - earlier for earlier, later in itertools.pairwise(sizes)]
    # In a round the allocator may take more from the system; a leak is there in every one.
    assert statistics.median(grown) < MANY * 15_000, grown


def test_no_listening_sockets_of_ours(stock: Wire, process: KernelProcess) -> None:
    probe = psutil.Process(process.process.pid)
    stock.execute("1")

    def listening() -> set[int]:
        return {
            connection.laddr.port
            for connection in probe.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }

    before = listening()
    stock.execute("%load_ext ipyext")
    for subshell in fill(stock):
        stock.execute("1", subshell=subshell)
    assert listening() == before


def test_no_files_that_others_can_read(kernel: Wire, process: KernelProcess) -> None:
    fill(kernel)
    home = process.file.parent
    for folder, _, names in os.walk(home):
        for name in names:
            mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
            if "ipyext" in name:
                assert not mode & 0o077, name


def test_two_hundred_children(kernel: Wire, probe: psutil.Process) -> None:
    made = [kernel.create() for _ in range(200)]
    answers = kernel.wait(*(kernel.send_execute("6 * 7", subshell=shell) for shell in made))
    assert {answer.result for answer in answers} == {"42"}
    assert kernel.shells() == made
    empty(kernel, made)


def test_the_log_stays_empty(kernel: Wire, process: KernelProcess) -> None:
    empty(kernel, fill(kernel))
    log = process.log.read_text()
    assert "ipyext" not in log.replace("ipyext-test-", "")
    assert "Traceback" not in log, log


def test_what_we_log_goes_where_the_kernel_logs(kernel: Wire, process: KernelProcess) -> None:
    """Never under a cell, and never as output of nobody."""
    main = kernel.execute("1")
    kernel.request("unknown_request")
    header = {**kernel.header("x"), "msg_type": "execute_request"}
    kernel.wait(kernel.send_parts("shell", header, b"{}", metadata=b"{bad"))  # type: ignore[arg-type]
    kernel.execute("import sys; sys.stderr.flush()")
    assert main.text("stderr") == ""
    assert kernel.stray_output() == []
    log = process.log.read_text()
    assert "Nobody handles unknown_request on the shell channel" in log
    assert "Refused an unreadable message on the shell channel" in log
