"""What code that does not use the extension shows: the same as in a stock kernel."""

from __future__ import annotations

import re

import pytest

from tests.conftest import LANE
from tests.wire import Answer, KernelProcess, Wire

COLOUR = re.compile(r"\x1b\[[\d;]*m")
# Cells have the names of files on ipykernel 5 as soon as the extension is loaded.
CELL = re.compile(r'<ipython-input-\d+-\w+>|[^\s"]*ipykernel_\d+/\d+\.py')

KERNELS = re.compile(r"0x[0-9a-f]+|\d+ hidden frame")  # how deep the kernel itself is


def shown(answer: Answer) -> str:
    """All that a cell has put out, without colours and numbers of cells."""
    parts = [answer.text(), answer.text("stderr"), *answer.shown, str(answer.result)]
    parts += answer.content.get("traceback", [])
    text = CELL.sub("CELL", COLOUR.sub("", "\n".join(parts)))
    return re.sub(r"(In ?)\[\d+\]", r"\1[N]", text)


def compare(stock: Wire, *cells: str, child: bool = True, stored: bool = True) -> str:
    """Run cells in main before and after loading, and in a child; what the last one has shown.

    Without `stop_on_error=False`, ipykernel 5 also aborts what comes right after an error.

    Args:
        stored: in IPython's history. A cell whose error cannot be shown leaves its number to the
            next one, and IPython 8 complains of that some time later, under whatever runs then.
    """
    how = {"stop_on_error": False, "store_history": stored}
    expected = [shown(stock.execute(cell, **how)) for cell in cells]
    assert stock.execute("%load_ext ipyext").status == "ok"
    assert [shown(stock.execute(cell, **how)) for cell in cells] == expected
    if child:
        subshell = stock.create()
        found = [shown(stock.execute(cell, subshell=subshell)) for cell in cells]
        assert found == expected
    return expected[-1]


FAILING = "import asyncio\nasync def fail():\n    return 1 / 0\nloop = asyncio.get_running_loop()\n"
AWAITS = {
    "gather": "await asyncio.gather(fail(), fail())",
    "a task": "await asyncio.create_task(fail())",
    "a thread": "await loop.run_in_executor(None, lambda: 1 / 0)",
    "a timeout": "await asyncio.wait_for(asyncio.create_task(fail()), 30)",
    "caught": "try:\n    await asyncio.create_task(fail())\nexcept Exception:\n"
    "    import traceback; traceback.print_exc()",
    "chained": "try:\n    await asyncio.create_task(fail())\nexcept Exception as error:\n"
    "    raise ValueError from error",
    "returned": "import traceback\n"
    "found = await asyncio.gather(fail(), return_exceptions=True)\n"
    "traceback.print_exception(None, found[0], found[0].__traceback__)",
    "looked at": "import traceback\ntask = asyncio.create_task(fail())\n"
    "await asyncio.wait([task])\n"
    "traceback.print_exception(None, task.exception(), task.exception().__traceback__)",
    "two tasks": "async def between():\n    await asyncio.create_task(fail())\n"
    "await asyncio.create_task(between())",
}


@pytest.mark.parametrize("code", AWAITS.values(), ids=AWAITS)
def test_an_await_that_fails(stock: Wire, code: str) -> None:
    assert "ZeroDivisionError" in compare(stock, FAILING + code)


def test_an_error_that_cannot_be_shown(stock: Wire) -> None:
    # On lines of its own: IPython 8 shows a function of one line with or without the line before
    # it, as the order of a set has it, and that differs with the name of the cell.
    code = (
        "class Mute(Exception):\n    def __str__(self):\n        raise RuntimeError('inner')\n"
        "raise Mute"
    )
    assert "inner" in compare(stock, code, child=False, stored=False)


def test_a_debugger_that_may_not_ask(stock: Wire) -> None:
    stock.execute("%pdb on")
    assert "StdinNotImplementedError" in compare(stock, "1 / 0", child=False, stored=False)
    stock.execute("%pdb off")


def test_a_stream_that_was_closed(stock: Wire) -> None:
    stock.execute("import sys\nthread, sys.stdout.pub_thread = sys.stdout.pub_thread, None")
    assert "closed file" in compare(stock, "print('late')", child=False)
    stock.execute("sys.stdout.pub_thread = thread")


def test_what_write_takes_and_returns(stock: Wire) -> None:
    tried = "try:\n    print(sys.stderr.write(%s))\nexcept Exception as error:\n    print(error)"
    compare(
        stock,
        "import sys",
        "sys.stdout.write('text')",
        tried % "b'bytes'",
        tried % "1",
    )


def test_a_group_of_errors(stock: Wire) -> None:
    code = (
        "import sys, traceback\n"
        "try:\n    async with asyncio.TaskGroup() as group:\n        group.create_task(fail())\n"
        "except BaseException:\n    traceback.print_exc()"
    )
    if stock.execute("import asyncio; asyncio.TaskGroup").status == "error":  # before Python 3.11
        code = "await fail()"
    assert "ZeroDivisionError" in compare(stock, FAILING + code)


@pytest.mark.parametrize("code", ["input('?')", "import getpass\ngetpass.getpass('?')"])
def test_input_that_is_not_allowed(stock: Wire, code: str) -> None:
    assert "StdinNotImplementedError" in compare(stock, code, child=False)


def test_breakpoint_where_nobody_can_answer(stock: Wire) -> None:
    expected = compare(stock, "x = 1\nbreakpoint()\nprint('went on')", child=False)
    assert LANE == 5 or expected.startswith("went on\n")


def test_timeit_that_fails(stock: Wire) -> None:
    assert "ZeroDivisionError" in compare(stock, "%timeit 1 / 0")


def test_where_a_prompt_at_the_end_of_a_cell_stops(stock: Wire) -> None:
    """Python 3.13 stops in the cell, those before in IPython, with `where` and a step as well."""
    code = "import pdb; pdb.set_trace()"
    found = []
    for _ in range(2):
        running = stock.send_execute(code, allow_stdin=True, stop_on_error=False)
        for command in ("w", "s", "q"):
            (asked,) = stock.wait_for_input()
            stock.answer_input(asked, command)
        found.append(KERNELS.sub("N", shown(stock.wait(running)[0])))
        assert stock.execute("%load_ext ipyext").status == "ok"
    assert found[0] == found[1]


FAILS = {
    "sleep": "import time\ntime.sleep('long')",
    "system": "import os\nos.system(3)",
    "process": "import subprocess\nsubprocess.run(['no such program'])",
    "profiled": "%prun -q 1 / 0",
    "timed": "%%time\n1 +",
    "parsed": "import ast\nast.parse('1 +')",
}


@pytest.mark.parametrize("code", FAILS.values(), ids=FAILS)
def test_what_fails_in_functions_of_the_extension(stock: Wire, code: str) -> None:
    compare(stock, code, child=False)


def test_an_interrupted_sleep(process: KernelProcess) -> None:
    stock, found = process.client(), []
    for _ in range(2):
        sleeping = stock.begin("import time\ntime.sleep(60)", stop_on_error=False)
        process.signal()
        found.append(shown(stock.wait(sleeping)[0]))
        assert stock.execute("%load_ext ipyext").status == "ok"
    assert found[0] == found[1]
    assert "KeyboardInterrupt" in found[0]
