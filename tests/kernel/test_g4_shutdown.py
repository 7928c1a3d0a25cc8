"""G4: no child, whatever it does, keeps the process alive; and its cells get an answer first."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.dap import JupyterDap
from tests.wire import TIMEOUT, KernelProcess, Wire

SOON = 2.0  # seconds, of the guarantee
CHILDREN = {
    "none": None,
    "idle": "pass",
    "looping": "while True: pass",
    "sleeping": "time.sleep(600)",
    "awaiting": "await asyncio.sleep(600)",
    "waiting for an event": "go.wait()",
    "in a shell command": "!sleep 600",
    "catching what stops it": (
        "while True:\n    try:\n        go.wait()\n    except BaseException: pass"
    ),
    "asking": "input('? ')",
    "printing": "while True: print('x' * 100)",
    "with a thread": "threading.Thread(target=go.wait, daemon=True).start()",
    "with a thread that is no daemon": "threading.Thread(target=go.wait).start()",
    "in a native call": "lock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "in a pool of processes": (
        "import multiprocessing\n"
        "pool = multiprocessing.get_context('spawn').Pool(2)\n"
        "pool.map(time.sleep, [600, 600])"
    ),
}


@pytest.fixture(params=CHILDREN)
def running(request: pytest.FixtureRequest, kernel: Wire, child: str) -> str | None:
    """A cell that runs in a child, if there is any."""
    code = CHILDREN[request.param]
    if code is None:
        kernel.delete(child)
        return None
    return kernel.begin(code, subshell=child, allow_stdin=True)


def shut_down(kernel: Wire, channel: str = "control") -> str:
    msg_id = kernel.send("shutdown_request", {"restart": False}, channel=channel)
    kernel.expect_reply[msg_id] = False  # its idle may be lost with the process, as in stock
    return msg_id


def test_the_process_ends(kernel: Wire, process: KernelProcess, running: str | None) -> None:
    msg_id = shut_down(kernel)
    kernel.until(lambda: kernel.answers[msg_id].reply is not None)
    assert kernel.answers[msg_id].content == {"status": "ok", "restart": False}
    assert process.gone_within(SOON)
    assert process.process.returncode == 0, process.log.read_text()


def test_the_process_ends_by_a_request_on_shell(
    kernel: Wire, process: KernelProcess, running: str | None
) -> None:
    msg_id = shut_down(kernel, "shell")
    kernel.until(lambda: kernel.answers[msg_id].reply is not None)
    if running is not None:
        kernel.expect_reply[running] = False
    assert process.gone_within(SOON)


def test_running_and_queued_cells_are_answered_first(
    kernel: Wire, child: str, process: KernelProcess
) -> None:
    running = kernel.begin("while True: pass", subshell=child)
    queued = [kernel.send_execute("1", subshell=child) for _ in range(5)]
    kernel.execute("'routed behind them'")
    shut_down(kernel)
    assert {a.status for a in kernel.wait(running, *queued)} == {"error"}
    assert process.gone_within(SOON)


@pytest.mark.fault
def test_many_children_of_all_kinds(kernel: Wire, child: str, process: KernelProcess) -> None:
    for code in CHILDREN.values():
        if code is not None:
            kernel.begin(code, subshell=kernel.create(), allow_stdin=True)
    kernel.wait_for_input(1)
    shut_down(kernel)
    assert process.gone_within(SOON)


@pytest.mark.fault
def test_zombies(kernel: Wire, child: str, process: KernelProcess) -> None:
    running = kernel.begin("time.sleep(600)", subshell=child)
    kernel.delete(child)
    kernel.wait(running)
    shut_down(kernel)
    assert process.gone_within(SOON)


def test_terminate_with_a_looping_child(kernel: Wire, child: str, process: KernelProcess) -> None:
    running = kernel.begin("while True: pass", subshell=child)
    kernel.expect_reply[running] = False
    process.signal(signal.SIGTERM)
    assert process.gone_within(SOON)


def test_exit_in_main_with_a_looping_child(
    kernel: Wire, child: str, process: KernelProcess
) -> None:
    running = kernel.begin("while True: pass", subshell=child)
    kernel.expect_reply[running] = False
    leaving = kernel.send_execute("exit")
    kernel.expect_reply[leaving] = False
    assert process.gone_within(SOON)


def test_atexit_functions_run(kernel: Wire, child: str, process: KernelProcess) -> None:
    kernel.execute("import atexit, pathlib\natexit.register(pathlib.Path('left.txt').touch)")
    kernel.begin("while True: pass", subshell=child)
    left = process.file.parent / "left.txt"
    shut_down(kernel)
    assert process.gone_within(SOON)
    assert left.exists()


def test_nothing_on_standard_error_at_the_end(
    kernel: Wire, child: str, process: KernelProcess
) -> None:
    kernel.begin("while True: pass", subshell=child)
    shut_down(kernel)
    assert process.gone_within(SOON)
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "Fatal" not in log


REPLAY = """
import ipyext.extension, pathlib, sys, zmq
extension = ipyext.extension.active()
host, session = extension.host, get_ipython().kernel.session
def late():
    sys.unraisablehook = lambda lost: pathlib.Path("lost.txt").write_text(str(lost))
    frames = [b"client", *session.serialize(session.msg("execute_request", {"code": "1"}))]
    frames = [zmq.Frame(frame) for frame in frames]
    host.in_shell_channel(lambda: extension.engine.router.shell_message(frames))
    leave()
leave, host.leave = host.leave, late
"""


def test_a_request_that_comes_as_the_process_ends(
    start_kernel: Callable[..., KernelProcess],
) -> None:
    """Nobody runs it any more, and it is in nobody's way."""
    process = start_kernel()
    kernel = process.client()
    assert kernel.execute("%load_ext ipyext").status == "ok"
    assert kernel.execute(REPLAY).status == "ok"
    kernel.send_execute("exit")
    assert process.gone_within(TIMEOUT)
    lost = process.file.parent / "lost.txt"
    assert not lost.exists(), lost.read_text()


@pytest.mark.parametrize("channel", ["control", "shell"])
def test_a_looping_main_does_not_keep_the_process_alive(
    kernel: Wire, child: str, process: KernelProcess, channel: str
) -> None:
    main = kernel.begin("while True: pass")
    kernel.begin("while True: pass", subshell=child)
    msg_id = shut_down(kernel, channel)
    kernel.until(lambda: kernel.answers[msg_id].reply is not None)
    assert process.gone_within(SOON)
    kernel.expect_reply[main] = False  # interrupted; its reply may be lost with the process


LATE = """
import threading
try:
    while True: pass
except KeyboardInterrupt:
    for thread in threading.enumerate():
        if type(thread).__name__ == "ShellChannelThread":
            thread.join(0.5)  # ipykernel 7 ends it as soon as it is told to shut down
    raise
"""


@pytest.mark.parametrize("debugging", [False, True], ids=["plain", "debugged"])
def test_a_main_that_ends_late_shows_its_own_error_only(
    kernel: Wire, process: KernelProcess, lab: JupyterDap, debugging: bool
) -> None:
    if debugging:
        lab.attach()
    main = kernel.begin(LATE)
    kernel.expect_reply[main] = False  # nobody is there any more to send it
    shut_down(kernel)
    assert process.gone_within(TIMEOUT)
    kernel.pump()
    shown = [content["ename"] for content in kernel.answers[main].of("error")]
    assert shown == ["KeyboardInterrupt"]
    assert "Traceback" not in process.log.read_text()


LAST_WORDS = """
import atexit
@atexit.register
def last_words():
    for letter in 'abc':
        print(letter * 100_000, flush=True)
"""


@pytest.mark.fault
def test_large_output_at_the_end_is_whole(
    start_kernel: Callable[..., KernelProcess], request: pytest.FixtureRequest
) -> None:
    """Also after pyzmq's collector, which large messages need, has ended."""
    process = start_kernel()
    kernel = process.client()
    kernel.execute(LAST_WORDS)  # before there is a collector, so it runs after that has ended
    if not request.config.getoption("--stock"):
        kernel.execute("%load_ext ipyext")
    cell = kernel.send_execute("print('x' * 100_000)")
    kernel.wait(cell)
    shut_down(kernel)
    assert process.gone_within(SOON)
    kernel.pump()  # raises if the signature of a message is wrong
    # Which request it belongs to is up to the version of ipykernel.
    said = [
        m["content"]["text"]
        for m in [*kernel.answers[cell].iopub, *kernel.stray_output()]
        if m["msg_type"] == "stream"
    ]
    assert [letter for letter in "abc" if letter * 100_000 in "".join(said)] == [*"abc"]
