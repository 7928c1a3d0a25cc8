"""G2: what a cell leaves running belongs to it; nested cells, GUI loops, and abort queues.

See test_g2_right_place.py for threads and tasks one by one, test_g1_one_answer.py for the queues
that an error aborts without a timeout.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator

import pytest

from tests.wire import TIMEOUT, Answer, KernelProcess, Wire


@pytest.fixture(autouse=True)
def nothing_astray(kernel: Wire) -> Iterator[None]:
    yield
    kernel.pump()
    assert kernel.stray_output() == []


def shows(kernel: Wire, answer: Answer, text: str, name: str = "stdout") -> None:
    """Wait until the cell shows `text`, printed after its end."""

    def found() -> bool:
        return text in re.sub(r"\x1b\[[0-9;]*m", "", answer.text(name))  # Python 3.13 colours it

    kernel.until(found, what=f"{text!r} under its cell")


# -- tasks, timers, executors ----------------------------------------------------------------------


def test_tasks_of_several_cells(kernel: Wire, child: str) -> None:
    define = (
        "turns = {name: asyncio.Event() for name in 'abc'}\n"
        "async def work(name):\n    while True:\n        await turns[name].wait()\n"
        "        turns[name].clear()\n        print('task', name)\n"
    )
    kernel.execute(define, subshell=child)
    cells = {
        name: kernel.execute(
            f"task_{name} = asyncio.get_event_loop().create_task(work('{name}'))\nprint('{name}')",
            subshell=child,
        )
        for name in "abc"
    }
    main = kernel.begin("go.wait(30)")
    for turn in range(1, 4):
        other = kernel.execute(
            "for turn in turns.values(): turn.set()\nawait asyncio.sleep(0)\nprint('cell')",
            subshell=child,
        )
        for name, answer in cells.items():
            kernel.until(lambda a=answer: a.text().count("task") == turn, what="the turn")  # noqa: B023
            assert answer.text() == f"{name}\n" + f"task {name}\n" * turn
        assert other.text() == "cell\n"
    kernel.execute("task_a.cancel(), task_b.cancel(), task_c.cancel(); go.set()", subshell=child)
    assert kernel.wait(main)[0].text() == "begun\n"


def test_what_runs_on_nobodys_behalf_in_a_child_belongs_to_its_last_cell(
    kernel: Wire, child: str
) -> None:
    """A finalizer, or a callback that a library schedules in a context of its own."""
    cell = (
        "import contextvars\nloop = asyncio.get_event_loop()\n"
        "def later():\n    print('on nobody\\'s behalf', flush=True)\n    done.set()"
    )
    kernel.execute(cell, subshell=child)
    last = kernel.execute("print('last')", subshell=child)
    main = kernel.execute(
        "loop.call_soon_threadsafe(later, context=contextvars.Context())\n"
        "done.wait(30)\nprint('main')"
    )
    shows(kernel, last, "on nobody's behalf\n")
    assert main.text() == "main\n"


def test_tasks_of_tasks(kernel: Wire, child: str) -> None:
    cell = (
        "wake = asyncio.Event()\nloop = asyncio.get_event_loop()\n"
        "async def inner():\n    print('inner')\n    await asyncio.sleep(0)\n    done.set()\n"
        "async def outer():\n    await wake.wait()\n    global innermost\n"
        "    innermost = asyncio.ensure_future(inner())\n"
        "task = loop.create_task(outer())"
    )
    started = kernel.execute(cell, subshell=child)
    main = kernel.execute("loop.call_soon_threadsafe(wake.set)\ndone.wait(30)\nprint('main')")
    later = kernel.execute("print('later')", subshell=child)
    shows(kernel, started, "inner\n")
    assert (main.text(), later.text()) == ("main\n", "later\n")


@pytest.mark.parametrize(
    "call",
    [
        "loop.call_later(0.01, tick)",
        "loop.call_at(loop.time() + 0.01, tick)",
        "loop.call_soon(tick)",
        "loop.call_soon_threadsafe(tick)",
        "future.add_done_callback(tick)",
    ],
)
def test_callbacks_of_the_event_loop(kernel: Wire, child: str, call: str) -> None:
    cell = (
        "loop = asyncio.get_event_loop()\nfuture = loop.create_future()\nticks = []\n"
        "def tick(*_):\n    print('tick')\n    display({'text/plain': 'shown'}, raw=True)\n"
        "    ticks.append(1)\n    done.set()\n"
        f"handle = {call}"
    )
    started = kernel.execute(cell, subshell=child)
    other = kernel.execute("_ = future.done() or future.set_result(1)\nprint('o')", subshell=child)
    main = kernel.execute("done.wait(30)\nprint('main')")
    kernel.until(lambda: started.shown == ["shown"], what="the callback")
    assert started.text() == "tick\n"
    assert (main.text(), other.text()) == ("main\n", "o\n")


def test_to_thread_keeps_the_cell(kernel: Wire, child: str) -> None:
    kernel.execute(
        "def say(what):\n    go.wait(30)\n    print(what)\n"
        "    print('error', what, file=sys.stderr)\n"
        "    display({'text/plain': what}, raw=True)",
    )
    # The second one finds the thread that the first one made.
    first = kernel.execute("await asyncio.to_thread(print, 'zero')", subshell=child)
    cells = {
        name: kernel.execute(
            f"task_{name} = asyncio.get_event_loop().create_task(asyncio.to_thread(say, '{name}'))",
            subshell=child,
        )
        for name in ("one", "two")
    }
    main = kernel.execute("go.set()\nprint('main')")
    for name, answer in cells.items():
        kernel.until(lambda a=answer: bool(a.shown), what="the thread")
        assert (answer.text(), answer.text("stderr"), answer.shown) == (
            (f"{name}\n", f"error {name}\n", [name])
        )
    assert (first.text(), main.text()) == ("zero\n", "main\n")


LATER = """
def work():
    go.wait()
    print('thread', flush=True)
    print('error', file=sys.stderr, flush=True)
    display({'text/plain': 'shown'}, raw=True)
    done.set()
thread = threading.Thread(target=work)
thread.start()
"""


@pytest.mark.parametrize("cell", ["ended", "running"])
def test_a_thread_that_goes_on_after_its_child_was_deleted(
    kernel: Wire, child: str, process: KernelProcess, cell: str
) -> None:
    """It prints under its cell if that had ended, else nowhere; and under nobody else's."""
    logged = len(process.log.read_text())
    if cell == "ended":
        started = kernel.execute(LATER, subshell=child)
        running = kernel.begin("go.wait()", subshell=child)
    else:
        running = kernel.begin(f"{LATER}print('started')\ngo.wait()", subshell=child)
        kernel.wait_for_text(running, "started")
        started = kernel.answers[running]
    kernel.delete(child)
    kernel.wait(running)
    named = kernel.execute("print('other')", subshell=kernel.create())
    main = kernel.execute("go.set()\ndone.wait(30)\nthread.join()\nprint('main')")
    kernel.execute("sys.stdout.flush()")
    if cell == "ended":
        kernel.until(lambda: started.shown, what="what the thread displays")
        assert (started.text(), started.text("stderr")) == ("thread\n", "error\n")
        assert started.shown == ["shown"]
    else:
        assert (started.text(), started.text("stderr")) == ("begun\nstarted\n", "")
        assert started.shown == []
    assert (named.text(), main.text()) == ("other\n", "main\n")
    assert "Traceback" not in process.log.read_text()[logged:]


def test_executors(kernel: Wire, child: str) -> None:
    cell = (
        "from concurrent.futures import ThreadPoolExecutor\npool_WHO = ThreadPoolExecutor(2)\n"
        "def work_WHO(n):\n    go.wait(30)\n    sys.stdout.write(f'WHO {n}\\n')\n    return n\n"
        "futures_WHO = [pool_WHO.submit(work_WHO, n) for n in range(6)]"
    )
    other = kernel.create()
    cells = {
        who: kernel.execute(cell.replace("WHO", who), subshell=where)
        for who, where in (("one", child), ("two", other))
    }
    main = kernel.execute("go.set()\n[f.result(30) for f in futures_one + futures_two]")
    assert main.result == str([*range(6), *range(6)])
    assert main.text() == ""
    for who, answer in cells.items():
        kernel.until(lambda a=answer: a.text().count("\n") == 6, what="the pool's output")
        assert sorted(answer.text().split("\n")) == ["", *(f"{who} {n}" for n in range(6))]
    kernel.execute("pool_one.shutdown(); pool_two.shutdown()")


def test_run_in_executor_awaited(kernel: Wire, child: str) -> None:
    running = kernel.begin("go.wait(30)")
    cell = (
        "loop = asyncio.get_running_loop()\n"
        "print('before')\nx = await loop.run_in_executor(None, lambda: print('inside') or 7)\nx"
    )
    answer = kernel.execute(f"await asyncio.sleep(0)\n{cell}", subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert (answer.text(), answer.result) == ("before\ninside\n", "7")
    assert kernel.wait(running)[0].text() == "begun\n"


# -- errors in the background ----------------------------------------------------------------------


def test_an_error_in_a_thread(kernel: Wire, child: str) -> None:
    cell = "def fail():\n    go.wait(30)\n    raise ValueError('of thread')\n"
    started = kernel.execute(f"{cell}threading.Thread(target=fail).start()", subshell=child)
    later = kernel.execute("print('later')", subshell=child)
    main = kernel.execute("go.set()\nprint('main')")
    shows(kernel, started, "ValueError: of thread", "stderr")
    assert started.status == "ok"
    assert (later.text("stderr"), main.text("stderr")) == ("", "")


def test_an_error_in_a_timer(kernel: Wire, child: str) -> None:
    started = kernel.execute("threading.Timer(0.01, lambda: 1/0).start()", subshell=child)
    shows(kernel, started, "ZeroDivisionError", "stderr")


FAILING = {
    "callback": "handle = loop.call_soon(fail)",
    "task": "async def task():\n    fail()\nhandle = loop.create_task(task()) and None",
}


@pytest.mark.parametrize("code", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("busy", [False, True], ids=["main-idle", "main-busy"])
def test_an_error_nobody_awaits(
    process: KernelProcess, kernel: Wire, child: str, code: str, busy: bool
) -> None:
    """asyncio logs it: where logging goes to the terminal, it is there, as on main."""
    running = [kernel.begin("go.wait(30)")] if busy else []
    started = kernel.execute(
        f"loop = asyncio.get_event_loop()\ndef fail(): raise ValueError('of {busy}')\n{code}",
        subshell=child,
    )
    others = [kernel.execute("print('later')", subshell=child)]
    told = f"ValueError: of {busy}"
    end = time.monotonic() + TIMEOUT
    while told not in started.text("stderr") + process.log.read_text():
        assert time.monotonic() < end
        kernel.pump(0.01)
    others.append(kernel.execute("go.set()", subshell=child))
    for answer in [*others, *kernel.wait(*running)]:
        assert answer.text("stderr") == ""
    assert kernel.execute("'alive'", subshell=child).result == "'alive'"


def test_an_error_in_a_task_is_raised_where_it_is_awaited(kernel: Wire, child: str) -> None:
    cell = "async def fail():\n    raise ValueError('of task')\n"
    started = kernel.execute(
        f"{cell}task = asyncio.get_event_loop().create_task(fail())", subshell=child
    )
    awaited = kernel.execute("await task", subshell=child)
    assert awaited.content["evalue"] == "of task"
    assert len(awaited.of("error")) == 1
    assert started.text("stderr") == ""


# -- context variables -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["main", "child"])
def test_context_variables_in_tasks(kernel: Wire, child: str, where: str) -> None:
    kernel.execute("from contextvars import ContextVar\nvar = ContextVar('var', default='unset')")
    cell = (
        "seen = []\n"
        "async def task(name):\n    seen.append(var.get())\n    var.set(name)\n"
        "    await asyncio.sleep(0)\n    seen.append(var.get())\n"
        "token = var.set('cell')\nawait asyncio.gather(task('a'), task('b'))\n"
        "seen.append(await asyncio.to_thread(var.get))\nseen, var.get()"
    )
    answer = kernel.execute(cell, subshell=child if where == "child" else None)
    assert answer.result == "(['cell', 'cell', 'a', 'b', 'cell'], 'cell')"
    other = kernel.execute("var.get()", subshell=None if where == "child" else child)
    assert other.result == "'unset'"


# -- nested cells ----------------------------------------------------------------------------------

NESTED = {
    "plain": "r = ip.run_cell('print(1)\\nprint(2)')",
    "result": "r = ip.run_cell('5')",
    "silent": "r = ip.run_cell('7', silent=True)",
    "error": "r = ip.run_cell('1/0')",
    "syntax-error": "r = ip.run_cell('def def')",
    "two": "r = ip.run_cell('q = ip.run_cell(\"print(8)\\\\n9\")')",
    "magic": "r = ip.run_cell('%time x = 1') and None\nip.run_line_magic('precision', '3')",
    "await": "r = ip.run_cell('import asyncio\\nawait asyncio.sleep(0)')",
}


def told(answer: Answer) -> tuple[object, ...]:
    """What a cell with a nested one shows, without counts and timings."""
    streams = answer.text().split("CPU times")[0], answer.text("stderr").split("RuntimeWarn")[0]
    results = [c["data"]["text/plain"] for c in answer.of("execute_result")]
    errors = [c["ename"] for c in answer.of("error")]
    return answer.status, *streams, results, errors


@pytest.mark.parametrize("code", NESTED.values(), ids=NESTED)
def test_nested_cells_are_as_on_main(kernel: Wire, child: str, code: str) -> None:
    cell = f"ip = get_ipython()\nprint('outer')\n{code}\nprint('then')"
    found = []
    for where in (None, child):
        first = kernel.execute("0", subshell=where).content["execution_count"]
        answer = kernel.execute(cell, subshell=where)
        success = kernel.execute(
            "None if r is None else (r.success, type(r.error_in_exec).__name__)", subshell=where
        )
        counts = [
            c["execution_count"] - first
            for c in (answer.content, *answer.of("execute_result"), success.content)
        ]
        found.append((told(answer), success.result, counts))
    assert found[1] == found[0]


def test_a_nested_cell_that_is_stored(kernel: Wire, child: str) -> None:
    """Not compared with main: IPython 8 stores both under one number there, and complains."""
    kernel.execute("0", subshell=child)
    cell = "r = get_ipython().run_cell('print(1)\\n6', store_history=True)\n7"
    answer = kernel.execute(cell, subshell=child)
    assert (answer.status, answer.text()) == ("ok", "1\n")
    assert [c["data"]["text/plain"] for c in answer.of("execute_result")] == ["6", "7"]
    assert kernel.execute("r.success", subshell=child).result == "True"


def test_nested_cells_print_under_the_outer_one(kernel: Wire, child: str) -> None:
    running = kernel.begin("get_ipython().run_cell('go.wait(30)\\nprint(\"of main\")')")
    answer = kernel.execute(
        "get_ipython().run_cell('print(\"of child\")\\n1/0')\nNone", subshell=child
    )
    kernel.execute("go.set()", subshell=child)
    assert (answer.text(), len(answer.of("error"))) == ("of child\n", 1)
    (main,) = kernel.wait(running)
    assert (main.text(), main.of("error")) == ("begun\nof main\n", [])


# -- GUI event loops -------------------------------------------------------------------------------

LOOP = "get_ipython().kernel.eventloop"


@pytest.mark.parametrize("magic", ["%gui asyncio", "%gui tk", "%gui nonsense"])
def test_gui_in_a_child(kernel: Wire, child: str, magic: str) -> None:
    answer = kernel.execute(magic, subshell=child)
    assert "in main" in answer.text("stderr") + str(answer.content.get("evalue"))
    assert kernel.execute(LOOP).result is None
    assert kernel.execute("'alive'", subshell=child).result == "'alive'"


def test_a_child_leaves_mains_event_loop_on(
    kernel: Wire, child: str, process: KernelProcess
) -> None:
    logged = len(process.log.read_text())
    assert kernel.execute("%gui asyncio").status == "ok"
    before = kernel.execute(LOOP).result
    assert before is not None
    kernel.execute("%gui", subshell=child)
    kernel.execute("get_ipython().enable_gui(None)", subshell=child)
    assert kernel.execute(LOOP, subshell=child).result == before
    assert kernel.execute("'alive'").result == "'alive'"
    kernel.execute("%gui")
    assert kernel.execute(LOOP).result is None
    log = process.log.read_text()[logged:]
    assert "Traceback" not in log, log


# -- abort queues ----------------------------------------------------------------------------------

WINDOW = 1.5  # seconds


@pytest.mark.fault
@pytest.mark.parametrize("where", ["main", "child"])
def test_stop_on_error_timeout(kernel: Wire, child: str, where: str) -> None:
    """Cells that arrive within the timeout after an error are aborted, later ones run."""
    failing, other = (None, child) if where == "main" else (child, None)
    kernel.execute(f"get_ipython().kernel.stop_on_error_timeout = {WINDOW}")
    since = time.monotonic()
    assert kernel.execute("1/0", subshell=failing).status == "error"
    assert kernel.execute("1", subshell=failing).status == "aborted"
    info = kernel.request("kernel_info_request", subshell=failing)
    assert info.status == "ok", "only cells are aborted"
    assert kernel.execute("1", subshell=other).status == "ok"
    statuses = ["aborted"]
    while statuses[-1] == "aborted" and time.monotonic() < since + TIMEOUT:
        statuses.append(kernel.execute("'runs'", subshell=failing).status)
    assert statuses[-1] == "ok"
    assert time.monotonic() - since >= WINDOW
    assert kernel.execute("'runs'", subshell=failing).result == "'runs'"
    kernel.execute("get_ipython().kernel.stop_on_error_timeout = 0.0")


@pytest.mark.parametrize("where", ["main", "child"])
@pytest.mark.parametrize(
    "content", [{"stop_on_error": False}, {"silent": True}], ids=["not-on-error", "silent"]
)
def test_errors_that_abort_nothing(
    kernel: Wire, child: str, where: str, content: dict[str, bool]
) -> None:
    failing = child if where == "child" else None
    kernel.execute("get_ipython().kernel.stop_on_error_timeout = 30.0")
    error = kernel.send_execute("done.set(); go.wait(30); 1/0", subshell=failing, **content)
    other = kernel.create()
    assert kernel.execute("done.wait(30)", subshell=other).result == "True"
    queued = [kernel.send_execute(f"{n}", subshell=failing) for n in range(3)]
    kernel.execute("go.set()", subshell=other)
    assert kernel.wait(error)[0].status == "error"
    assert [answer.result for answer in kernel.wait(*queued)] == ["0", "1", "2"]
    assert kernel.execute("'after'", subshell=failing).result == "'after'"
    kernel.execute("get_ipython().kernel.stop_on_error_timeout = 0.0")


def test_an_error_within_the_window_of_another(kernel: Wire, child: str) -> None:
    """Two shells abort their own queues at once, each for its own time."""
    other = kernel.create()
    kernel.execute(f"get_ipython().kernel.stop_on_error_timeout = {WINDOW}")
    for where in (child, other):
        assert kernel.execute("1/0", subshell=where).status == "error"
    for where in (child, other):
        assert kernel.execute("1", subshell=where).status == "aborted"
    assert kernel.execute("get_ipython().kernel.stop_on_error_timeout = 0.0").status == "ok"
    for where in (child, other):
        kernel.until(
            lambda where=where: kernel.execute("1", subshell=where).status == "ok",
            what="the end of the window",
        )


def test_tasks_go_on_between_cells_that_follow_each_other(kernel: Wire, child: str) -> None:
    kernel.execute(
        "turns = []\n"
        "async def count():\n"
        "    while True:\n"
        "        turns.append(len(turns))\n"
        "        await asyncio.sleep(0)\n"
        "counting = asyncio.ensure_future(count())",
        subshell=child,
    )
    waiting = kernel.begin("go.wait()", subshell=child)  # all of these wait behind it
    cells = [kernel.send_execute("len(turns)", subshell=child) for _ in range(20)]
    kernel.execute("'routed'", subshell=kernel.create())
    kernel.execute("go.set()")
    kernel.wait(waiting)
    seen = [int(str(answer.result)) for answer in kernel.wait(*cells)]
    assert all(later > earlier for earlier, later in itertools.pairwise(seen)), seen
    kernel.execute("counting.cancel()", subshell=child)


@pytest.mark.parametrize("awaits", ["", "await asyncio.sleep(0)"])
def test_cancelling_all_tasks_leaves_the_child_itself(
    kernel: Wire, child: str, awaits: str
) -> None:
    kernel.execute("background = asyncio.ensure_future(asyncio.sleep(600))", subshell=child)
    own = "asyncio.current_task()" if awaits else "None"  # that one is the cell's, and can be
    cell = f"{awaits}\nfor task in asyncio.all_tasks() - {{{own}}}: task.cancel()"
    assert kernel.execute(cell, subshell=child).status == "ok"
    assert kernel.execute("print('goes on')", subshell=child).text() == "goes on\n"
    assert kernel.execute("background.cancelled()", subshell=child).result == "True"
    assert kernel.shells() == [child]
