"""G1 and G4: whatever tasks and callbacks of a child raise, its cells and the child go on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.kernel.test_g4_interrupt import (
    WAYS,
    Stop,
    assert_interrupted,
    by_id,
    by_request,
    table,
    ways,
)
from tests.wire import TIMEOUT, Answer, KernelProcess, Wire


@pytest.fixture
def it(kernel: Wire, child: str) -> str:
    """A child named ``it``."""
    kernel.execute("import ipyext")
    return kernel.create("it")


@pytest.fixture(autouse=True)
def nothing_astray(kernel: Wire) -> Iterator[None]:
    kernel.execute("import gc\nkept = None\ngc.collect() and None")
    before = len(kernel.stray_output())  # of tasks that tests before this one have left
    yield
    kernel.pump()
    assert [m["content"] for m in kernel.stray_output()[before:]] == []
    for msg_id in kernel.sent:
        assert "ChildShell" not in kernel.answers[msg_id].text("stderr")


def state_becomes(kernel: Wire, state: str) -> None:
    other = kernel.create()
    kernel.until(
        lambda: kernel.execute("ipyext.subshell('it').state", subshell=other).result == repr(state),
        what=state,
    )


def leave_task(kernel: Wire, it: str, does: str = "task()") -> Answer:
    """Have a cell leave a task that begins when the cell has ended; ``wait()``: a callback."""
    answer = kernel.execute(
        "loop = asyncio.get_running_loop()\nstart = loop.create_future()\n"
        "async def later():\n    await start\n    return await task()\n"
        "kept = asyncio.create_task(later())",
        subshell=it,
    )
    begin = "wait" if does == "wait()" else "start.set_result, None"
    kernel.execute(f"loop.call_soon_threadsafe({begin}) and None")
    return answer


def reported(process: KernelProcess, kernel: Wire, answer: Answer, text: str) -> None:
    """Wait until asyncio's log has `text`, under the cell or where logging goes to the terminal."""
    end = time.monotonic() + TIMEOUT
    while text not in answer.text("stderr") + process.log.read_text():
        assert time.monotonic() < end, text
        kernel.pump(0.01)


# -- interrupts of what a task waits for -----------------------------------------------------------

WAITS = {
    "sleeping": "time.sleep(600)",
    "waiting for input": "input()",
    "waiting for main": "ipyext.run_on_main(print)",
    "waiting for a job": "job.result()",
}
TASK = """
ended = []
def wait():
    try:
        {}
    finally:
        ended.append(1)
async def task():
    await asyncio.sleep(0)
    wait()
async def cell(awaited):
    try:
        await awaited
    finally:
        print('cell')
"""
AWAITED = {
    "gather": "await cell(asyncio.gather(task(), task()))",
    "task": "await cell(asyncio.create_task(task()))",
    "beside": "kept = asyncio.create_task(task())\nawait cell(asyncio.sleep(600))",
    "callback": "asyncio.get_running_loop().call_soon(wait)\nawait cell(asyncio.sleep(600))",
}


@pytest.mark.parametrize("code", AWAITED.values(), ids=AWAITED)
@pytest.mark.parametrize("state", WAITS)
def test_an_interrupt_while_a_task_of_the_cell_waits(
    kernel: Wire, it: str, state: str, code: str
) -> None:
    kernel.execute("%%subshell work --detach --job job\ngo.wait()")
    kernel.execute(TASK.format(WAITS[state]))
    main = kernel.begin("go.wait()") if state == "waiting for main" else None
    running = kernel.begin(code, subshell=it, allow_stdin=True)
    queued = kernel.send_execute("1", subshell=it)
    state_becomes(kernel, state)
    kernel.control("interrupt_request", {"subshell_id": it})
    assert_interrupted(kernel, running)
    assert kernel.answers[running].text() == "begun\ncell\n"
    assert kernel.wait(queued)[0].status == "aborted"
    assert kernel.execute("len(ended)", subshell=it).result == "1"
    kernel.execute("go.set()", subshell=it)
    kernel.wait(*[main] if main else [])
    kernel.inputs.clear()


SPINS = TASK.format("print('spins', flush=True)\n        for _ in iter(int, 1): pass")
SPINNING = {
    **{name: code for name, code in AWAITED.items() if name != "callback"},
    "wait_for": "await cell(asyncio.wait_for(task(), 600))",
}
BUSY = "busy with a task"


@ways(WAYS)
@pytest.mark.parametrize("code", SPINNING.values(), ids=SPINNING)
def test_an_interrupt_while_a_task_of_the_cell_spins(
    kernel: Wire, it: str, process: KernelProcess, code: str, stop: Stop
) -> None:
    kernel.execute(SPINS)
    running = kernel.begin(code, subshell=it)
    queued = kernel.send_execute("1", subshell=it)
    kernel.wait_for_text(running, "spins")
    stop(kernel, process, it)
    assert_interrupted(kernel, running)
    assert kernel.answers[running].text() == "begun\nspins\ncell\n"
    assert kernel.wait(queued)[0].status == "aborted"
    assert kernel.execute("len(ended)", subshell=it).result == "1"


@ways(WAYS)
def test_an_interrupt_while_a_task_that_an_ended_cell_left_spins(
    kernel: Wire, it: str, process: KernelProcess, stop: Stop
) -> None:
    kernel.execute(SPINS)
    leave_task(kernel, it)
    state_becomes(kernel, BUSY)
    assert re.search(rf"it +{BUSY} \d+\.\d s", table(kernel))
    waiting = kernel.send_execute("print('waited')", subshell=it)
    stop(kernel, process, it)
    assert kernel.wait(waiting)[0].text() == "waited\n"
    assert kernel.execute("kept.exception()", subshell=it).result == "KeyboardInterrupt()"


def test_a_task_may_catch_an_interrupt_and_go_on(
    kernel: Wire, it: str, process: KernelProcess
) -> None:
    kernel.execute(
        "async def task():\n    try:\n        for _ in iter(int, 1): pass\n"
        "    except KeyboardInterrupt:\n        await asyncio.sleep(0)\n    return 'went on'"
    )
    leave_task(kernel, it)
    state_becomes(kernel, BUSY)
    by_id(kernel, process, it)
    assert kernel.execute("await kept", subshell=it).result == "'went on'"


def test_a_task_that_ignores_interrupts_is_reported(kernel: Wire, it: str) -> None:
    kernel.execute(
        "async def task():\n    while not done.is_set():\n"
        "        try:\n            for _ in iter(int, 1): pass\n"
        "        except KeyboardInterrupt: print('ignored', flush=True)"
    )
    started = leave_task(kernel, it)
    state_becomes(kernel, BUSY)
    sent = time.monotonic()
    kernel.control("interrupt_request", {"subshell_id": it})
    kernel.until(lambda: "ignored" in started.text(), what="the interrupt")
    said = re.search(rf"{BUSY}, ignored an interrupt (\d+) s ago", table(kernel))
    # "0 s ago", as fast as this goes; on a slow machine as long as it took.
    assert said is not None
    assert int(said[1]) <= round(time.monotonic() - sent)
    kernel.execute("done.set()")
    kernel.control("interrupt_request", {"subshell_id": it})
    assert kernel.execute("await kept", subshell=it).status == "ok"


@pytest.mark.parametrize("callback", [False, True])
def test_an_interrupt_while_what_an_ended_cell_left_waits(
    kernel: Wire, it: str, process: KernelProcess, callback: bool
) -> None:
    kernel.execute(TASK.format(WAITS["sleeping"]))
    leave_task(kernel, it, "wait()" if callback else "task()")
    state_becomes(kernel, "sleeping")
    later = kernel.send_execute("print('later')", subshell=it)
    by_request(kernel, process, it)
    assert kernel.wait(later)[0].text() == "later\n"


def test_a_child_whose_task_spins_is_deleted(kernel: Wire, it: str) -> None:
    kernel.execute(SPINS)
    leave_task(kernel, it)
    state_becomes(kernel, BUSY)
    kernel.execute("thread = next(t for t in threading.enumerate() if t.name == 'subshell-it')")
    kernel.delete(it)
    assert kernel.execute("thread.join(10); thread.is_alive()").result == "False"


def test_tracebacks_of_tasks_have_peoples_frames_only(
    kernel: Wire, it: str, process: KernelProcess
) -> None:
    kernel.execute(
        "async def fail():\n    raise ValueError('of task')\n"
        "async def task():\n    await asyncio.create_task(fail())"
    )
    awaited = kernel.execute("await asyncio.create_task(task())", subshell=it)
    (error,) = awaited.of("error")
    text = "".join(error["traceback"])
    assert "of task" in text
    assert "_step" not in text
    started = kernel.execute("kept = asyncio.create_task(task())", subshell=it)
    kernel.execute("del kept\ngc.collect() and None", subshell=it)
    reported(process, kernel, started, "never retrieved")
    reported(process, kernel, started, "ValueError: of task")
    assert "_step" not in started.text("stderr") + process.log.read_text()


def test_a_task_looks_like_asyncios(kernel: Wire, it: str) -> None:
    kernel.execute("async def task(): await asyncio.get_running_loop().create_future()")
    look = (
        "kept = asyncio.create_task(task(), name='mine')\nawait asyncio.sleep(0)\n"
        "inspect.iscoroutine(kept.get_coro()), [f.f_code.co_name for f in kept.get_stack()], "
        "repr(kept).split(' at ')[0]"
    )
    kernel.execute("import inspect")
    there, main = kernel.execute(look, subshell=it), kernel.execute(look)
    assert there.result == main.result
    assert "<Task pending name='mine' coro=<task() running" in str(main.result)


def test_the_stop_button_while_a_task_of_the_cell_sleeps(
    kernel: Wire, it: str, process: KernelProcess
) -> None:
    kernel.execute(TASK.format(WAITS["sleeping"]))
    running = kernel.begin(AWAITED["gather"], subshell=it)
    state_becomes(kernel, "sleeping")
    by_request(kernel, process, it)
    assert_interrupted(kernel, running)
    assert it in kernel.shells()


# -- SystemExit and KeyboardInterrupt --------------------------------------------------------------

RAISES = """
async def task():
    await asyncio.sleep(0)
    raise {0}
def callback():
    raise {0}
"""
both = pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])


@both
@pytest.mark.parametrize("awaited", ["create_task(task())", "gather(task(), asyncio.sleep(600))"])
def test_a_cell_gets_what_its_task_raises(kernel: Wire, it: str, error: str, awaited: str) -> None:
    kernel.execute(RAISES.format(error))
    code = f"try:\n    await asyncio.{awaited}\nfinally:\n    print('finally')"
    answer = kernel.execute(code, subshell=it)
    direct = kernel.execute(f"raise {error}", subshell=it)
    assert answer.content["ename"] == direct.content["ename"] == error
    assert [e["ename"] for e in answer.of("error")] == [error]
    assert answer.text() == "finally\n"
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"


@both
def test_a_task_that_nobody_awaits(
    kernel: Wire, it: str, process: KernelProcess, error: str
) -> None:
    kernel.execute(RAISES.format(f"{error}('of task')"))
    started = kernel.execute(
        "kept = asyncio.create_task(task())\nkept.add_done_callback(lambda _: done.set())",
        subshell=it,
    )
    other = kernel.create()
    awaiting = kernel.send_execute(
        "while not done.is_set(): await asyncio.sleep(0)\nprint('awaited')", subshell=it
    )
    assert kernel.wait(awaiting)[0].text() == "awaited\n"
    collecting = kernel.execute("del kept\ngc.collect() and None", subshell=other)
    reported(process, kernel, started, "Task exception was never retrieved")
    reported(process, kernel, started, f"{error}: of task")
    assert collecting.text("stderr") == kernel.answers[awaiting].text("stderr") == ""
    assert it in kernel.shells()


@both
def test_a_callback(kernel: Wire, it: str, process: KernelProcess, error: str) -> None:
    kernel.execute(RAISES.format(f"{error}('of callback')"))
    started = kernel.execute("asyncio.get_running_loop().call_soon(callback) and 1", subshell=it)
    later = kernel.execute("print('later')", subshell=it)
    reported(process, kernel, started, "Exception in callback")
    reported(process, kernel, started, f"{error}: of callback")
    assert (later.text(), later.text("stderr")) == ("later\n", "")
    assert not re.search(r"ipyext/shells", started.text("stderr") + process.log.read_text())


def test_an_executor_that_raises_generator_exit(kernel: Wire, it: str) -> None:
    code = "def leave(): raise GeneratorExit\nawait asyncio.to_thread(leave)"
    content = kernel.execute(code, subshell=it).content
    assert (content["ename"], content["execution_count"]) == ("GeneratorExit", 1)
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"


def test_a_loop_that_is_stopped(kernel: Wire, it: str) -> None:
    answer = kernel.execute("asyncio.get_running_loop().stop()", subshell=it)
    assert answer.status == "ok"
    assert kernel.execute("await asyncio.sleep(0)\n'alive'", subshell=it).result == "'alive'"
