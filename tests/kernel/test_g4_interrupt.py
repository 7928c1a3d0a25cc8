"""G4: an interrupt reaches what the person means, and nothing else.

IPYEXT_INTERRUPTS sets how many of them come as cells end.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.wire import KernelProcess, Wire

PROMPTLY = 5.0  # seconds; cells below never end by themselves, so any bound tells
Stop = Callable[[Wire, KernelProcess, str], None]

ENDLESS = {
    "looping": "while True: pass",
    "in short sleeps": "while True: time.sleep(0.01)",
    "awaiting": "await asyncio.sleep(600)",
    "awaiting a task": "await asyncio.create_task(asyncio.Event().wait())",
    "in a shell command": "!sleep 600",
    "in a subprocess": "import subprocess\nsubprocess.run(['sleep', '600'], check=True)",
    "in a script": "get_ipython().run_cell_magic('bash', '', 'sleep 600; echo')",
    "in os.system": "import os\nos.system('sleep 600')",
    "in a shell that waits": "import subprocess\nsubprocess.run('sleep 600; echo', shell=True)",
    "in a comprehension": "[1 for _ in iter(int, 1)]",
    "in a generator": "def g():\n    while True: yield 1\nfor _ in g(): pass",
    "in a magic": "get_ipython().run_cell_magic('time', '', 'while True: pass')",
}


def by_id(kernel: Wire, process: KernelProcess, child: str) -> None:
    reply = kernel.control("interrupt_request", {"subshell_id": child})
    assert reply == {"status": "ok"}


def by_magic(kernel: Wire, process: KernelProcess, child: str) -> None:
    assert kernel.execute("%subshell interrupt it").status == "ok"


def by_api(kernel: Wire, process: KernelProcess, child: str) -> None:
    assert kernel.execute("import ipyext; ipyext.interrupt('it')").status == "ok"


def by_request(kernel: Wire, process: KernelProcess, child: str) -> None:
    assert kernel.control("interrupt_request") == {"status": "ok"}


def by_signal(kernel: Wire, process: KernelProcess, child: str) -> None:
    process.signal(signal.SIGINT)


WAYS = [by_id, by_magic, by_api, by_request, by_signal]
ADDRESSED = [by_id, by_magic, by_api]
GLOBAL = [by_request, by_signal]


@pytest.fixture
def it(kernel: Wire, child: str) -> str:
    """A child named ``it``."""
    return kernel.create("it")


def ways(found: list[Stop]) -> Any:
    return pytest.mark.parametrize("stop", found, ids=lambda stop: str(stop.__name__))


def assert_interrupted(kernel: Wire, msg_id: str) -> None:
    (answer,) = kernel.wait(msg_id, timeout=PROMPTLY)
    assert answer.status == "error"
    assert answer.content["ename"] == "KeyboardInterrupt"
    assert [e["ename"] for e in answer.of("error")] == ["KeyboardInterrupt"]


@ways(WAYS)
def test_a_loop_in_a_child(kernel: Wire, it: str, process: KernelProcess, stop: Stop) -> None:
    running = kernel.begin("while True: pass", subshell=it)
    stop(kernel, process, it)
    assert_interrupted(kernel, running)
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"
    assert kernel.execute("'alive'").result == "'alive'"


# The stock kernel takes an interrupt of a magic in a subshell for one of main's idle loop.
@pytest.mark.parametrize(
    "doing",
    [
        pytest.param(d, marks=[] if "magic" in d or "script" in d else [pytest.mark.fault])
        for d in ENDLESS
    ],
)
def test_whatever_a_child_does(kernel: Wire, it: str, process: KernelProcess, doing: str) -> None:
    running = kernel.begin(ENDLESS[doing], subshell=it)
    by_id(kernel, process, it)
    (answer,) = kernel.wait(running, timeout=PROMPTLY)
    assert answer.status == "error" or "!" in ENDLESS[doing]  # a command ends, and the cell goes on
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"


@ways(ADDRESSED)
def test_one_child_of_two_while_main_is_idle(
    kernel: Wire, it: str, child: str, process: KernelProcess, stop: Stop
) -> None:
    bystander = kernel.begin("go.wait(); 'unharmed'", subshell=child)
    running = kernel.begin("while True: pass", subshell=it)
    stop(kernel, process, it)
    assert_interrupted(kernel, running)
    kernel.execute("go.set()")
    assert kernel.wait(bystander)[0].result == "'unharmed'"


@pytest.mark.fault
@ways([by_id])
def test_a_child_while_main_is_busy(
    kernel: Wire, it: str, child: str, process: KernelProcess, stop: Stop
) -> None:
    main = kernel.begin("while not go.is_set(): pass\n'unharmed'")
    running = kernel.begin("while True: pass", subshell=it)
    stop(kernel, process, it)
    assert_interrupted(kernel, running)
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(main)[0].result == "'unharmed'"


def test_a_child_by_the_magic_while_main_is_busy(kernel: Wire, it: str, child: str) -> None:
    main = kernel.begin("while not go.is_set(): pass\n'unharmed'")
    running = kernel.begin("while True: pass", subshell=it)
    assert kernel.execute("%subshell interrupt it").status == "ok"
    assert_interrupted(kernel, running)
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(main)[0].result == "'unharmed'"


@ways(GLOBAL)
def test_main_if_main_is_busy(
    kernel: Wire, it: str, child: str, process: KernelProcess, stop: Stop
) -> None:
    bystander = kernel.begin("go.wait(); 'unharmed'", subshell=child)
    main = kernel.begin("while True: pass")
    stop(kernel, process, it)
    assert_interrupted(kernel, main)
    kernel.execute("go.set()")
    assert kernel.wait(bystander)[0].result == "'unharmed'"


@pytest.mark.fault
@ways(GLOBAL)
def test_every_busy_child_if_main_is_idle(
    kernel: Wire, it: str, child: str, process: KernelProcess, stop: Stop
) -> None:
    running = [kernel.begin("while True: pass", subshell=shell) for shell in (child, it)]
    stop(kernel, process, it)
    for msg_id in running:
        assert_interrupted(kernel, msg_id)


@pytest.mark.fault
@ways(GLOBAL)
def test_every_child_at_once_whatever_it_does(
    kernel: Wire, it: str, process: KernelProcess, stop: Stop
) -> None:
    cells = [*ENDLESS.values(), "time.sleep(600)", "input()"]
    running = [
        kernel.begin(code, subshell=kernel.create(), allow_stdin="input" in code) for code in cells
    ]
    kernel.wait_for_input()
    stop(kernel, process, it)
    answers = dict(zip(cells, kernel.wait(*running), strict=True))  # many tracebacks
    for code, answer in answers.items():
        if "sleep 600" not in code and "'sleep'" not in code:  # it is the process that is stopped
            assert answer.content.get("ename") == "KeyboardInterrupt", code
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"
    assert kernel.execute("'alive'").result == "'alive'"


@ways(GLOBAL)
def test_an_idle_kernel_takes_no_harm(
    kernel: Wire, it: str, process: KernelProcess, stop: Stop
) -> None:
    for _ in range(3):
        stop(kernel, process, it)
    assert kernel.execute("'alive'").result == "'alive'"
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"


@pytest.mark.fault
def test_main_in_an_await(kernel: Wire, child: str) -> None:
    main = kernel.begin("await asyncio.sleep(600)")
    kernel.control("interrupt_request")
    (answer,) = kernel.wait(main, timeout=PROMPTLY)
    assert answer.status == "error"
    assert kernel.execute("'alive'").result == "'alive'"


def test_main_by_the_api_from_a_child(kernel: Wire, child: str) -> None:
    main = kernel.begin("while True: pass")
    kernel.execute("import ipyext; ipyext.interrupt('main')", subshell=child)
    assert_interrupted(kernel, main)


def test_an_interrupt_can_be_caught(kernel: Wire, it: str, process: KernelProcess) -> None:
    running = kernel.begin(
        "try:\n    while True: time.sleep(0)\nexcept KeyboardInterrupt:\n    print('caught')\n"
        "'goes on'",
        subshell=it,
    )
    by_id(kernel, process, it)
    (answer,) = kernel.wait(running, timeout=PROMPTLY)
    assert (answer.text(), answer.result) == ("begun\ncaught\n", "'goes on'")


def test_a_second_interrupt_reaches_code_that_caught_the_first(
    kernel: Wire, it: str, process: KernelProcess
) -> None:
    running = kernel.begin(
        "try:\n    while True: time.sleep(0)\nexcept KeyboardInterrupt:\n    print('caught')\n"
        "while True: pass",
        subshell=it,
    )
    by_id(kernel, process, it)
    kernel.wait_for_text(running, "caught")
    by_id(kernel, process, it)
    assert_interrupted(kernel, running)


@pytest.mark.parametrize("shell", ["main", "child"])
def test_the_finally_of_an_interrupted_await_runs(kernel: Wire, it: str, shell: str) -> None:
    """Also what it awaits."""
    where = it if shell == "child" else None
    running = kernel.begin(
        "try:\n    await asyncio.sleep(600)\nfinally:\n    print('finally')\n"
        "    await asyncio.sleep(0.01)\n    print('to the end')",
        subshell=where,
    )
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})
    assert_interrupted(kernel, running)
    assert kernel.answers[running].text() == "begun\nfinally\nto the end\n"
    assert kernel.execute("'alive'", subshell=where).result == "'alive'"


@pytest.mark.parametrize("shell", ["main", "child"])
def test_an_interrupt_in_a_finally_that_awaits(kernel: Wire, it: str, shell: str) -> None:
    where = it if shell == "child" else None
    running = kernel.begin(
        "try:\n    await asyncio.sleep(600)\nfinally:\n    print('finally')\n"
        "    await asyncio.sleep(600)\n    print('to the end')",
        subshell=where,
    )
    stop = {"subshell_id": where} if where else {}
    kernel.control("interrupt_request", stop)
    kernel.wait_for_text(running, "finally")
    kernel.control("interrupt_request", stop)
    assert_interrupted(kernel, running)
    assert kernel.answers[running].text() == "begun\nfinally\n"
    assert kernel.execute("'alive'", subshell=where).result == "'alive'"


def test_background_tasks_survive_an_interrupt(
    kernel: Wire, it: str, process: KernelProcess
) -> None:
    kernel.execute(
        "async def background():\n    while not go.is_set(): await asyncio.sleep(0.01)\n"
        "    done.set()\n"
        "task = asyncio.get_running_loop().create_task(background())\nawait asyncio.sleep(0)",
        subshell=it,
    )
    running = kernel.begin("await asyncio.sleep(600)", subshell=it)
    by_id(kernel, process, it)
    assert_interrupted(kernel, running)
    assert kernel.execute("go.set(); done.wait(30)").result == "True"


def test_what_is_queued_behind_an_interrupted_cell_is_aborted(
    kernel: Wire, it: str, process: KernelProcess
) -> None:
    running = kernel.begin("while True: pass", subshell=it)
    queued = [kernel.send_execute("1", subshell=it) for _ in range(3)]
    by_id(kernel, process, it)
    assert_interrupted(kernel, running)
    assert {a.status for a in kernel.wait(*queued)} == {"aborted"}


def test_an_interrupt_leaves_a_sleeping_thread_of_the_child_alone(kernel: Wire, it: str) -> None:
    kernel.execute(
        "done = threading.Event()\n"
        "def poll():\n    while not done.is_set(): time.sleep(0.05)\n"
        "poller = threading.Thread(target=poll)\npoller.start()",
        subshell=it,
    )
    for cell in ("while True: pass", "time.sleep(600)", "await asyncio.sleep(600)"):
        running = kernel.begin(cell, subshell=it)
        kernel.control("interrupt_request", {"subshell_id": it})
        assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
        assert kernel.execute("poller.is_alive()").result == "True"
    kernel.execute("done.set(); poller.join()")


def test_an_interrupt_of_a_detached_cell(kernel: Wire, it: str) -> None:
    kernel.execute("%%subshell it --detach --job job\ngo.set()\nwhile True: pass")
    assert kernel.execute("go.wait(30)").result == "True"
    kernel.execute("%subshell interrupt it")
    answer = kernel.execute(
        "try:\n    job.result(30)\nexcept BaseException as error:\n    print(type(error))"
    )
    assert "KeyboardInterrupt" in answer.text()


def table(kernel: Wire) -> str:
    (shown,) = kernel.execute("%subshell").of("display_data")
    return str(shown["data"]["text/plain"])


@pytest.fixture
def native(kernel: Wire, it: str) -> str:
    """A cell of ``it`` in a native call, which an exception cannot reach."""
    kernel.execute("import _thread\nlock = _thread.allocate_lock()\nlock.acquire()")
    return kernel.begin("lock.acquire()", subshell=it)


def test_native_code_is_reported_and_interrupted_when_it_returns(
    kernel: Wire, it: str, native: str
) -> None:
    assert kernel.control("interrupt_request", {"subshell_id": it}) == {"status": "ok"}
    (blocked,) = kernel.control("interrupt_request", {"subshell_id": it})["blocked"]
    assert (blocked["subshell_id"], blocked["name"]) == (it, "it")
    (later,) = kernel.control("interrupt_request")["blocked"]
    assert later["seconds"] > blocked["seconds"], "the age is that of the first interrupt"
    assert "in native code, interrupted 0 s ago" in table(kernel)
    text = kernel.execute("%subshell interrupt it").text()
    assert text.startswith("it is in native code, first interrupted 0 s ago.")
    assert kernel.execute("import ipyext; ipyext.interrupt('it')[0].name").result == "'it'"
    kernel.execute("lock.release()")
    assert_interrupted(kernel, native)
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"


def test_other_shells_work_while_one_is_in_native_code(kernel: Wire, it: str, native: str) -> None:
    other = kernel.create()
    kernel.control("interrupt_request", {"subshell_id": it})
    assert kernel.execute("'other'", subshell=other).result == "'other'"
    assert kernel.execute("'main'").result == "'main'"
    kernel.delete(it)
    assert kernel.wait(native)[0].content["ename"] == "SubshellDeletedError"
    kernel.execute("lock.release()")


def test_code_that_ignores_interrupts_is_reported(kernel: Wire, it: str) -> None:
    running = kernel.begin(
        "while not done.is_set():\n    try:\n        for _ in iter(int, 1): pass\n"
        "    except KeyboardInterrupt:\n        print('ignored')",
        subshell=it,
    )
    sent = time.monotonic()
    kernel.control("interrupt_request", {"subshell_id": it})
    kernel.wait_for_text(running, "ignored")
    said = re.search(r"busy, ignored an interrupt (\d+) s ago", table(kernel))
    # "0 s ago", as fast as this goes; on a slow machine as long as it took.
    assert said is not None
    assert int(said[1]) <= round(time.monotonic() - sent)
    kernel.execute("done.set()")
    reply = kernel.control("interrupt_request", {"subshell_id": it})
    assert "blocked" not in reply, "it was reached, and ignored that"
    assert kernel.wait(running)[0].status == "ok"


def test_a_wait_for_a_job_ends_and_the_job_goes_on(
    kernel: Wire, it: str, child: str, process: KernelProcess
) -> None:
    kernel.execute("%%subshell work --detach --job job\ngo.wait()\n42")
    waiting = kernel.begin("job.result()", subshell=it)
    by_id(kernel, process, it)
    assert_interrupted(kernel, waiting)
    assert kernel.execute("go.set(); job.result(30)").result == "42"


def test_a_wait_of_main_for_a_job_ends(kernel: Wire, child: str) -> None:
    kernel.execute("%%subshell work --detach --job job\ngo.wait()\n42")
    waiting = kernel.begin("job.result()")
    kernel.control("interrupt_request")
    assert_interrupted(kernel, waiting)
    assert kernel.execute("go.set(); job.result(30)").result == "42"


def test_a_cell_that_waits_for_main_ends(kernel: Wire, child: str) -> None:
    main = kernel.begin("go.wait()")
    waiting = kernel.send_execute("%%subshell it --main-when-idle\nran = True")
    other = kernel.create()
    look = "import ipyext; ipyext.subshell('it').state"
    kernel.until(
        lambda: kernel.execute(look, subshell=other).result == "'waiting for main'",
        what="the wait for main",
    )
    kernel.execute("%subshell interrupt it", subshell=other)
    assert_interrupted(kernel, waiting)
    kernel.execute("go.set()", subshell=other)
    kernel.wait(main)
    assert kernel.execute("'ran' in globals()").result == "False"


def test_a_cell_that_would_wait_for_itself_says_so(kernel: Wire, child: str) -> None:
    answer = kernel.execute("%%subshell work\n%%subshell work\n1", stop_on_error=False)
    assert answer.status == "error"
    assert "This cell is part of what subshell work does" in answer.text("stderr")
    assert kernel.execute("%%subshell work\n'alive'").result == "'alive'"


def test_an_interrupt_request_on_the_shell_channel(kernel: Wire, it: str) -> None:
    """As on control, where it belongs; ipykernel 5 has no other way from some clients."""
    running = kernel.begin("while True: pass", subshell=it)
    assert kernel.request("interrupt_request", {"subshell_id": it}).status == "ok"
    assert_interrupted(kernel, running)
    refused = kernel.request("interrupt_request", {"subshell_id": "nobody"})
    assert refused.content["ename"] == "SubshellNotFoundError"


def test_an_interrupt_of_main_spares_the_processes_of_an_idle_child(kernel: Wire, it: str) -> None:
    kernel.execute("import subprocess\nprocess = subprocess.Popen(['sleep', '600'])", subshell=it)
    main = kernel.begin("while True: pass")
    kernel.control("interrupt_request")
    assert_interrupted(kernel, main)
    assert kernel.execute("process.poll()").result is None
    assert kernel.execute("process.kill(); process.wait()").result == "-9"
