"""Tools that replace in main's shell what shows errors: it holds in all shells."""

from __future__ import annotations

import pytest

from tests.wire import Wire

# As rich.traceback does it: both of them, and what was there is called.
TOOL = """
import sys
ip = get_ipython()
plain, asked = ip.showtraceback, []
def note(*args, **kwargs):
    asked.append(kwargs)
    plain(*args, **kwargs)
def show(*args, **kwargs):
    print("TOOL", repr(ip._get_exc_info()[1]))
ip.showtraceback, ip._showtraceback = note, show
ip.showsyntaxerror = lambda *args, **kwargs: print("TOOL syntax")
"""
UNDO = "del ip.showtraceback, ip._showtraceback, ip.showsyntaxerror"


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_shows_errors_in_main_shows_those_of_children(stock: Wire, when: str) -> None:
    """Also if it was replaced before the extension was loaded."""
    steps = [TOOL, "%load_ext ipyext"]
    for step in steps if when == "before" else reversed(steps):
        assert stock.execute(step).status == "ok"
    child = stock.create()
    stock.execute("raise ValueError('of main')")
    answer = stock.execute("raise KeyError('of child')", subshell=child)
    assert answer.content["ename"] == "KeyError"
    assert answer.text() == "TOOL KeyError('of child')\n"
    assert answer.of("error") == []
    assert stock.execute("asked[-1]", subshell=child).result == "{'running_compiled_code': True}"
    assert stock.execute("x = (", subshell=child).text() == "TOOL syntax\n"
    assert stock.execute("sys.last_value").result == "ValueError('of main')"
    stock.execute(UNDO)
    assert len(stock.execute("1 / 0", subshell=child).of("error")) == 1


def test_what_calls_the_plain_one_shows_it_under_the_childs_cell(kernel: Wire, child: str) -> None:
    kernel.execute(
        "ip = get_ipython()\nplain = ip._showtraceback\n"
        "ip._showtraceback = lambda *args: (print('noted'), plain(*args))"
    )
    busy = kernel.begin("go.wait()")
    answer = kernel.execute("raise KeyError('of child')", subshell=child)
    assert answer.text() == "noted\n"
    (shown,) = answer.of("error")
    assert shown["ename"] == "KeyError"
    assert answer.content["traceback"] == shown["traceback"]
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(busy)[0].of("error") == []
    kernel.execute("del ip._showtraceback")


def test_one_that_a_child_replaces_is_its_own(kernel: Wire, child: str) -> None:
    code = "get_ipython()._showtraceback = lambda *args: print('own')"
    kernel.execute(code, subshell=child)
    assert kernel.execute("1 / 0", subshell=child).text() == "own\n"
    assert len(kernel.execute("1 / 0").of("error")) == 1


def test_mains_own_method_put_in_its_place(stock: Wire) -> None:
    """As ipykernel itself leaves it, if MPLBACKEND is set; the reply of a child is complete."""
    code = "get_ipython()._showtraceback = get_ipython()._showtraceback"
    assert stock.execute(code).status == "ok"
    assert stock.execute("%load_ext ipyext").status == "ok"
    answer = stock.execute("1 / 0", subshell=stock.create())
    assert answer.content["traceback"] == answer.of("error")[0]["traceback"] != []
