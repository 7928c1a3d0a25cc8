"""Code that is bound to the main thread, asked for by other shells."""

from __future__ import annotations

import pytest

from tests.wire import KernelProcess, Wire

WHERE = "import threading\nthreading.current_thread() is threading.main_thread()"


@pytest.fixture(autouse=True)
def names(kernel: Wire, child: str) -> None:
    kernel.execute("import ipyext, threading, os; from ipyext import run_on_main")


def test_a_call_from_a_child_runs_on_main(kernel: Wire, child: str) -> None:
    code = "run_on_main(lambda a, b: (a + b, threading.current_thread().name), 1, b=2)"
    assert kernel.execute(code, subshell=child).result == "(3, 'MainThread')"


def test_a_call_waits_until_main_is_free(kernel: Wire, child: str) -> None:
    main = kernel.begin("go.wait(); order = ['main']")
    call = kernel.send_execute("run_on_main(lambda: order.append('call'))", subshell=child)
    # Another cell of main, behind the call.
    kernel.execute("done.set()", subshell=kernel.create())
    kernel.execute("go.set()", subshell=kernel.create())
    kernel.wait(main, call)
    assert kernel.execute("order").result == "['main', 'call']"


def test_what_it_prints_shows_under_the_asking_cell(kernel: Wire, child: str) -> None:
    before = kernel.execute("print('before')")
    code = (
        "def f():\n    print('on main')\n    display({'text/plain': 'shown'}, raw=True)\n"
        "    os.system('true')\n"
        "run_on_main(f)"
    )
    answer = kernel.execute("from IPython.display import display\n" + code, subshell=child)
    assert (answer.text(), answer.shown, before.text()) == ("on main\n", ["shown"], "before\n")


def test_an_error_is_raised_in_the_asking_cell(kernel: Wire, child: str) -> None:
    answer = kernel.execute("run_on_main(int, 'x')", subshell=child, stop_on_error=False)
    assert answer.content["ename"] == "ValueError"
    assert len(answer.of("error")) == 1
    assert kernel.execute("'main is well'").result == "'main is well'"


def test_a_coroutine_function_is_awaited_on_main(kernel: Wire, child: str) -> None:
    code = (
        "async def f():\n    await asyncio.sleep(0)\n"
        "    return asyncio.get_running_loop() is main_loop\n"
    )
    kernel.execute(code + "main_loop = get_ipython().kernel.io_loop.asyncio_loop")
    assert kernel.execute("run_on_main(f)", subshell=child).result == "True"


def test_on_main_it_is_a_plain_call(kernel: Wire) -> None:
    assert kernel.execute("run_on_main(threading.get_ident) == threading.get_ident()").result == (
        "True"
    )


def test_from_a_thread_of_a_child_and_of_main(kernel: Wire, child: str) -> None:
    code = (
        "import concurrent.futures\n"
        "with concurrent.futures.ThreadPoolExecutor(4) as pool:\n"
        "    names = list(pool.map(lambda _: run_on_main(lambda: "
        "threading.current_thread().name), range(8)))\nset(names)"
    )
    assert kernel.execute(code, subshell=child).result == "{'MainThread'}"


def test_an_interrupt_ends_the_wait_for_main(kernel: Wire, child: str) -> None:
    other = kernel.create()
    main = kernel.begin("go.wait()")
    call = kernel.begin("run_on_main(print, 'never')", subshell=child)

    def waits() -> bool:
        states = kernel.execute("[s.state for s in ipyext.subshells()]", subshell=other).result
        return "waiting for main" in str(states)

    kernel.until(waits, what="the wait for main")
    kernel.control("interrupt_request", {"subshell_id": child})
    assert kernel.wait(call)[0].content["ename"] == "KeyboardInterrupt"
    kernel.execute("go.set()", subshell=other)
    assert kernel.wait(main)[0].status == "ok"
    assert kernel.answers[call].text() == "begun\n"


def test_an_interrupt_of_the_asking_child_reaches_its_code_on_main(
    kernel: Wire, child: str
) -> None:
    call = kernel.send_execute(
        "def f():\n    print('begun', flush=True)\n    while True: pass\nrun_on_main(f)",
        subshell=child,
    )
    kernel.wait_for_text(call, "begun")
    kernel.control("interrupt_request", {"subshell_id": child})
    assert kernel.wait(call)[0].content["ename"] == "KeyboardInterrupt"
    assert kernel.execute("'main is well'").result == "'main is well'"


def test_unload_while_a_call_waits(kernel: Wire, child: str) -> None:
    call = kernel.send_execute(
        "try:\n    run_on_main(print)\nexcept Exception as error:\n"
        "    caught = type(error).__name__\n    done.set()",
        subshell=child,
    )
    kernel.execute("%unload_ext ipyext")
    kernel.wait(call)


def test_a_cell_on_main_when_idle(kernel: Wire, child: str) -> None:
    main = kernel.begin("go.wait()\norder = ['main']")
    cell = kernel.send_execute(
        "%%subshell work --main-when-idle\norder.append('cell')\nprint(threading.current_thread()"
        " is threading.main_thread())\n'the result'"
    )
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(main)[0].status == "ok"
    (answer,) = kernel.wait(cell)
    assert (answer.text(), answer.result) == ("True\n", "'the result'")
    assert kernel.execute("order").result == "['main', 'cell']"


def test_an_error_and_an_await_in_a_cell_on_main(kernel: Wire) -> None:
    failed = kernel.execute("%%subshell work --main-when-idle\n1/0", stop_on_error=False)
    assert failed.content["ename"] == "ZeroDivisionError"
    assert len(failed.of("error")) == 1
    code = "%%subshell work --main-when-idle\nimport asyncio\nawait asyncio.sleep(0)\n" + WHERE
    assert kernel.execute(code).result == "True"


def test_a_cell_on_main_can_be_interrupted(kernel: Wire, process: KernelProcess) -> None:
    cell = kernel.send_execute(
        "%%subshell work --main-when-idle\nprint('begun', flush=True)\nwhile True: pass"
    )
    kernel.wait_for_text(cell, "begun")
    kernel.control("interrupt_request")
    assert kernel.wait(cell)[0].content["ename"] == "KeyboardInterrupt"
    assert kernel.execute("'main is well'").result == "'main is well'"


# -- waits that would never end --------------------------------------------------------------------

WAIT = "ipyext.subshell('{}').run('1 + 1').result()"


def test_a_cell_on_main_does_not_wait_for_its_own_subshell(kernel: Wire, child: str) -> None:
    inner = "get_ipython().run_cell('%%subshell work\\nprint(1)')"
    answer = kernel.execute(f"%%subshell work --main-when-idle\n{inner}\n'on'")
    assert "This cell is part of what subshell work does" in answer.text("stderr")
    assert answer.result == "'on'"


def test_a_call_on_main_does_not_wait_for_the_subshell_that_waits_for_it(
    kernel: Wire, child: str
) -> None:
    kernel.execute("%subshell create work")
    answer = kernel.execute(
        f"%%subshell work\nrun_on_main(lambda: {WAIT.format('work')})", stop_on_error=False
    )
    assert answer.content["ename"] == "JobNotDoneError"
    assert "would never end" in answer.content["evalue"]
    assert kernel.execute("%%subshell work\n'work is well'").result == "'work is well'"


def test_subshells_that_wait_for_each_other(kernel: Wire, child: str) -> None:
    kernel.execute("%subshell create one")
    kernel.execute("%subshell create two")
    kernel.execute("def ask(name, code):\n    return ipyext.subshell(name).run(code).result()")
    code = "%%subshell one\nask('two', \"ask('one', '1 + 1')\")"
    answer = kernel.execute(code, stop_on_error=False)
    assert answer.content["ename"] == "JobNotDoneError"
    assert kernel.execute("%%subshell one\nask('two', '1 + 1')").result == "2"


def test_others_may_wait_for_a_subshell_on_main(kernel: Wire, child: str) -> None:
    """What main does for one subshell waits for another, and a thread for that very one."""
    kernel.execute("%subshell create work")
    kernel.execute("%subshell create other")
    code = f"%%subshell work\nrun_on_main(lambda: {WAIT.format('other')})"
    assert kernel.execute(code).result == "2"
    cell = (
        "%%subshell work\ndef later():\n    meet.wait()\n"
        f"    done.result = run_on_main(lambda: {WAIT.format('work')})\n    done.set()\n"
        "threading.Thread(target=later).start()"
    )
    assert kernel.execute(cell).status == "ok"
    assert kernel.execute("_ = meet.wait()", subshell=child).status == "ok"
    assert kernel.execute("done.wait(30), done.result", subshell=child).result == "(True, 2)"


# -- while main waits for a job --------------------------------------------------------------------

ASKS = {
    "the job": "run_on_main(name)",
    "a thread of it": (
        "import concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor(1) as pool:\n"
        "    found = pool.submit(run_on_main, name).result()\nfound"
    ),
    "a job that it waits for": "ipyext.subshell('other').run('run_on_main(name)').result()",
    "what it asks for": (
        "def job(): return ipyext.subshell('other').run('run_on_main(name)').result()\n"
        "run_on_main(job)"
    ),
}
NAME = "def name(): return threading.current_thread().name"


@pytest.mark.parametrize("asks", ASKS.values(), ids=ASKS)
def test_a_job_that_main_waits_for_may_ask_for_main(kernel: Wire, child: str, asks: str) -> None:
    kernel.execute(f"%subshell create work\n%subshell create other\n{NAME}")
    code = f"job = ipyext.subshell('work').run({asks!r})\njob.result()"
    assert kernel.execute(code).result == "'MainThread'"
    assert kernel.execute(f"{code.replace('result()', 'result(30)')}").result == "'MainThread'"


def test_a_call_that_came_before_main_waits(kernel: Wire, child: str) -> None:
    kernel.execute(f"%subshell create work\n{NAME}")
    code = (
        "job = ipyext.subshell('work').run('run_on_main(name)')\n"
        "while ipyext.subshell('work').state != 'waiting for main': pass\njob.result()"
    )
    assert kernel.execute(code).result == "'MainThread'"


def test_a_cell_that_was_not_routed_may_ask_for_main(kernel: Wire, child: str) -> None:
    answer = kernel.execute(
        "get_ipython().run_cell('%%subshell work\\nrun_on_main(print, 1)')\nprint('main')"
    )
    assert answer.text() == "1\nmain\n"


def test_an_error_of_a_call_while_main_waits(kernel: Wire, child: str) -> None:
    kernel.execute("%subshell create work")
    kernel.execute("def ask():\n    try: run_on_main(int, 'x')\n    except ValueError: done.set()")
    code = "ipyext.subshell('work').run('ask()').result()\ndone.is_set()"
    assert kernel.execute(code).result == "True"


@pytest.mark.parametrize("interrupted", [True, False])
def test_an_interrupt_of_what_main_runs_while_it_waits(
    kernel: Wire, child: str, interrupted: bool
) -> None:
    """It hits the function, then who asked for it, then main, which waits for that."""
    work = kernel.create("work")
    kernel.execute(
        "def f():\n    print('begun', flush=True)\n    while True: pass\n"
        "def ask():\n    try: run_on_main(f)\n    finally: print('asked')"
    )
    cell = kernel.send_execute("ipyext.subshell('work').run('ask()').result()")
    kernel.wait_for_text(cell, "begun")
    kernel.control("interrupt_request", {"subshell_id": work} if interrupted else {})
    (answer,) = kernel.wait(cell)
    assert answer.content["ename"] == "KeyboardInterrupt"
    assert answer.text() == "begun\nasked\n"
    assert kernel.execute("'main is well'").result == "'main is well'"
    assert kernel.execute("%%subshell work\nrun_on_main(lambda: 1)").result == "1"


def test_an_interrupt_while_main_waits_and_has_made_a_call(kernel: Wire, child: str) -> None:
    kernel.execute("%subshell create work")
    cell = kernel.send_execute(
        "ipyext.subshell('work').run('run_on_main(print, 1)\\ngo.wait()').result()"
    )
    kernel.wait_for_text(cell, "1")
    kernel.control("interrupt_request")
    assert kernel.wait(cell)[0].content["ename"] == "KeyboardInterrupt"
    assert kernel.execute("1 + 1").result == "2"


@pytest.mark.parametrize("first", ["ask", "wait"])
def test_a_coroutine_cannot_run_while_main_waits(kernel: Wire, child: str, first: str) -> None:
    kernel.execute("%subshell create work\nasync def f(): pass")
    if first == "ask":
        code = "job = ipyext.subshell('work').run('run_on_main(f)')\n"
        code += "while ipyext.subshell('work').state != 'waiting for main': pass\n"
    else:
        kernel.execute(
            "def ask():\n    while ipyext.subshell('main').state != 'waiting for a job': pass\n"
            "    run_on_main(f)"
        )
        code = "job = ipyext.subshell('work').run('ask()')\n"
    answer = kernel.execute(code + "job.result()", stop_on_error=False)
    assert answer.content["ename"] == {"ask": "JobNotDoneError", "wait": "MainWaitsError"}[first]
    assert kernel.execute("'main is well'").result == "'main is well'"


def test_a_function_that_gives_a_coroutine_while_main_waits(kernel: Wire, child: str) -> None:
    kernel.execute("%subshell create work\nasync def f(): pass")
    code = "ipyext.subshell('work').run('run_on_main(lambda: f())').result()"
    answer = kernel.execute(code, stop_on_error=False)
    assert answer.content["ename"] == "MainWaitsError"
    kernel.execute("1 / 0", stop_on_error=False)  # the last error, in place of that one
    kernel.execute("%unload_ext ipyext")  # nor the job
    answer = kernel.execute("import gc\n_ = gc.collect()")
    assert answer.text("stderr") == ""  # no warning of a coroutine that nobody has awaited


def test_a_cell_on_main_behind_which_main_waits(kernel: Wire, child: str) -> None:
    """Main waits for a job that comes after the cell which waits for main."""
    kernel.execute("%subshell create work")
    main = kernel.begin(
        "busy = ipyext.subshell('work').run('_ = go.wait()')\ndone.wait()\n"
        "ipyext.subshell('work').run('2').result()"
    )
    cell = kernel.send_execute("%%subshell work --main-when-idle\n1", stop_on_error=False)
    look = "ipyext.subshell('work').queued, ipyext.subshell('main').state"
    kernel.until(lambda: "(1, " in str(kernel.execute(look, subshell=child).result))
    kernel.execute("done.set()", subshell=child)
    kernel.until(lambda: "for a job" in str(kernel.execute(look, subshell=child).result))
    kernel.execute("go.set()", subshell=child)
    found, waited = kernel.wait(cell, main)
    assert found.content["ename"] == "MainWaitsError"
    assert waited.result == "2"
    assert kernel.execute("%%subshell work --main-when-idle\n1").result == "1"
