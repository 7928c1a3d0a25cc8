"""The extension is loaded before the kernel starts: by --ext, by configuration, by a profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import LANE
from tests.wire import KernelProcess, Wire

Start = Callable[..., KernelProcess]


def by_ext(start: Start, home: Path) -> KernelProcess:
    return start("--ext", "ipyext")


def by_ext_with_equals(start: Start, home: Path) -> KernelProcess:
    return start("--ext=ipyext")


def by_application_trait(start: Start, home: Path) -> KernelProcess:
    return start("--IPKernelApp.extensions=ipyext")


def by_profile(start: Start, home: Path) -> KernelProcess:
    return _with_profile(start, home, "ipython_config.py", "InteractiveShellApp")


def by_kernel_profile(start: Start, home: Path) -> KernelProcess:
    return _with_profile(start, home, "ipython_kernel_config.py", "IPKernelApp")


def by_startup_file(start: Start, home: Path) -> KernelProcess:
    startup = home / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-ipyext.ipy").write_text("%load_ext ipyext\n")
    return start(env={"IPYTHONDIR": str(home)})


def _with_profile(start: Start, home: Path, name: str, section: str) -> KernelProcess:
    profile = home / "profile_default"
    profile.mkdir(parents=True)
    (profile / name).write_text(f"c = get_config()\nc.{section}.extensions = ['ipyext']\n")
    return start(env={"IPYTHONDIR": str(home)})


WAYS = [
    by_ext,
    by_ext_with_equals,
    by_application_trait,
    by_profile,
    by_kernel_profile,
    by_startup_file,
]


@pytest.fixture(params=WAYS, ids=lambda way: str(way.__name__))
def autoloaded(
    request: pytest.FixtureRequest, start_kernel: Start, tmp_path: Path
) -> Iterator[tuple[Wire, KernelProcess]]:
    process = request.param(start_kernel, tmp_path / "ipython")
    kernel = process.client()
    yield kernel, process
    kernel.pump()
    kernel.check()


def test_the_first_answer_says_that_there_are_subshells(
    autoloaded: tuple[Wire, KernelProcess],
) -> None:
    kernel, process = autoloaded
    info = kernel.request("kernel_info_request").content
    assert "kernel subshells" in info["supported_features"], process.log.read_text()
    assert "Traceback" not in process.log.read_text()


def test_all_works_from_the_first_cell(autoloaded: tuple[Wire, KernelProcess]) -> None:
    kernel, _ = autoloaded
    first = kernel.execute("import threading; go = threading.Event(); print('first'); 1")
    assert (first.text(), first.result, first.content["execution_count"]) == ("first\n", "1", 1)
    child = kernel.create("work")
    loop = kernel.begin("while not go.is_set(): pass\n'main'")
    answer = kernel.execute("print('child'); 'result'", subshell=child)
    assert (answer.text(), answer.result) == ("child\n", "'result'")
    assert kernel.request("complete_request", {"code": "go.", "cursor_pos": 3}).status == "ok"
    assert "work" in kernel.execute("%subshell").shown[0]
    assert kernel.execute("%%subshell\ngo.set()").status == "ok"
    assert kernel.wait(loop)[0].result == "'main'"
    assert kernel.delete(child) == {"status": "ok"}


def test_input_and_interrupts_work(autoloaded: tuple[Wire, KernelProcess]) -> None:
    kernel, _ = autoloaded
    child = kernel.create()
    asking = [
        kernel.send_execute(f"input('{n}? ')", subshell=where, allow_stdin=True)
        for n, where in enumerate((None, child))
    ]
    for question in kernel.wait_for_input(2):
        kernel.answer_input(question, question["content"]["prompt"])
    assert [a.result for a in kernel.wait(*asking)] == ["'0? '", "'1? '"]
    for where in (None, child):
        loop = kernel.begin("while True: pass", subshell=where)
        kernel.control("interrupt_request")
        assert kernel.wait(loop)[0].content["ename"] == "KeyboardInterrupt"


def test_loading_it_again_is_no_second_load(autoloaded: tuple[Wire, KernelProcess]) -> None:
    kernel, _ = autoloaded
    answer = kernel.execute("%load_ext ipyext")
    assert "already loaded" in answer.text() + answer.text("stderr") + str(answer.content)
    child = kernel.create()
    assert kernel.execute("'once'", subshell=child).result == "'once'"


def test_it_comes_off(autoloaded: tuple[Wire, KernelProcess]) -> None:
    kernel, _ = autoloaded
    assert kernel.execute("%unload_ext ipyext").status == "ok"
    assert kernel.execute("'stock'").result == "'stock'"
    kernel.execute("%load_ext ipyext")
    child = kernel.create()
    assert kernel.execute("'again'", subshell=child).result == "'again'"


def test_shutdown(autoloaded: tuple[Wire, KernelProcess]) -> None:
    kernel, process = autoloaded
    kernel.begin("while True: pass", subshell=kernel.create())
    msg_id = kernel.send("shutdown_request", {"restart": False}, channel="control")
    kernel.expect_reply[msg_id] = False
    assert process.gone_within(5)


def test_shutdown_of_a_kernel_that_nobody_used(start_kernel: Start, tmp_path: Path) -> None:
    process = by_ext(start_kernel, tmp_path)
    kernel = process.client()
    msg_id = kernel.send("shutdown_request", {"restart": False}, channel="control")
    kernel.until(lambda: kernel.answers[msg_id].reply is not None)
    assert process.gone_within(5)
    assert "Traceback" not in process.log.read_text()


def test_an_extension_loaded_before_it(start_kernel: Start, tmp_path: Path) -> None:
    process = start_kernel("--IPKernelApp.extensions=autoreload", "--ext=ipyext")
    kernel = process.client()
    assert "kernel subshells" in kernel.control("kernel_info_request")["supported_features"]
    assert kernel.execute("%autoreload 0").status == "ok"


def test_requests_that_wait_while_the_kernel_starts(start_kernel: Start, tmp_path: Path) -> None:
    """What is published may come before the subscription; replies wait for their client."""
    kernel = by_ext(start_kernel, tmp_path).connect()
    sent = [
        kernel.send("kernel_info_request", channel=channel)
        for _ in range(30)
        for channel in ("shell", "control")
    ]
    kernel.until(lambda: all(kernel.answers[m].reply is not None for m in sent), what="replies")
    assert {kernel.answers[msg_id].status for msg_id in sent} == {"ok"}


WAITS = """
import threading

def load_ipython_extension(shell):
    \"\"\"The control thread is done with a request before main goes on.\"\"\"
    stream, done = shell.kernel.control_stream, threading.Event()
    listen = stream.on_recv

    def on_recv(callback, **options):
        async def call(frames):
            try:
                await callback(frames)
            finally:
                done.set()

        stream.on_recv = listen
        listen(call, **options)
        assert done.wait(60)

    stream.on_recv = on_recv
"""


@pytest.mark.skipif(LANE == 5, reason="it has no thread that reads control while main starts")
@pytest.mark.parametrize("order", [("waits", "ipyext"), ("ipyext", "waits")], ids="_".join)
def test_a_control_request_that_is_read_while_main_starts(
    start_kernel: Start, tmp_path: Path, order: tuple[str, str]
) -> None:
    """ipykernel 6.30 to 7.2 reads them before it can answer them (KeyError: '_control_lock')."""
    (tmp_path / "waits.py").write_text(WAITS)
    process = start_kernel(
        f"--IPKernelApp.extensions={order[0]}",
        f"--IPKernelApp.extensions={order[1]}",
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )
    kernel = process.connect()
    sent = kernel.send("kernel_info_request", channel="control")
    kernel.until(lambda: kernel.answers[sent].reply is not None, what="the reply")
    assert kernel.answers[sent].status == "ok"
    assert kernel.create("work")
