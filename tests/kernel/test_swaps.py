"""What code swaps for a while belongs to its shell: display hook, arguments, `__main__`.

See test_g2_right_place.py for the names (`go`, `done`, `meet`) that these cells use.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire import KernelProcess, Wire

FAILS = "def fail():\n    inner = 6 * 7\n    return inner / 0\nfail()"


class Debugged:
    """A shell that sits in %debug."""

    def __init__(self, kernel: Wire, where: str | None) -> None:
        self.kernel = kernel
        kernel.execute(FAILS, subshell=where)
        self.msg_id = kernel.send_execute("%debug", subshell=where, allow_stdin=True)
        (self.prompt,) = kernel.wait_for_input()

    def say(self, line: str) -> None:
        """Say something to the debugger, and do not wait for it to be done."""
        self.kernel.answer_input(self.prompt, line)

    def asks_again(self) -> None:
        (self.prompt,) = self.kernel.wait_for_input()

    def quit(self) -> str:
        """What the debugger has said."""
        self.say("q")
        (answer,) = self.kernel.wait(self.msg_id)
        assert answer.status == "ok"
        assert answer.of("execute_result") == []
        return answer.text()


def results(kernel: Wire, *shells: str | None) -> None:
    """A result is a result, in each of `shells`."""
    for shell in shells:
        answer = kernel.execute("'result'", subshell=shell)
        assert (answer.result, answer.text()) == ("'result'", "")


@pytest.fixture
def hook(kernel: Wire, child: str) -> Iterator[None]:
    kernel.execute("hook = sys.displayhook")
    yield
    assert kernel.execute("sys.displayhook is hook").result == "True"


@pytest.mark.fault
def test_results_of_a_child_while_main_is_being_debugged(
    kernel: Wire, child: str, hook: None
) -> None:
    debugged = Debugged(kernel, None)
    results(kernel, child)
    debugged.say("inner, 'of main'")
    debugged.asks_again()
    results(kernel, child)
    assert "(42, 'of main')" in debugged.quit()
    results(kernel, None, child)


@pytest.mark.parametrize("who", ["main", "child"])
def test_results_while_the_debugger_of_another_shell_runs_a_command(
    kernel: Wire, child: str, hook: None, who: str
) -> None:
    where, other = (None, child) if who == "main" else (child, None)
    debugged = Debugged(kernel, where)
    debugged.say("!print('held', flush=True) or go.wait(30)")
    kernel.wait_for_text(debugged.msg_id, "held")
    results(kernel, other, kernel.create())
    kernel.execute("go.set()", subshell=other)
    debugged.asks_again()
    assert "True" in debugged.quit()
    results(kernel, None, child)


@pytest.mark.parametrize("begins", [False, True], ids=["main ends", "main begins"])
def test_main_ends_or_begins_a_cell_while_a_debugger_runs_a_command(
    kernel: Wire, child: str, hook: None, begins: bool
) -> None:
    other = kernel.create()
    kernel.execute("go.clear(); done.clear()")
    running = None if begins else kernel.begin("done.wait(30)")
    debugged = Debugged(kernel, child)
    debugged.say("!print('held', flush=True) or go.wait(30)")
    kernel.wait_for_text(debugged.msg_id, "held")
    if running is None:
        running = kernel.begin("done.wait(30)")
    else:
        kernel.execute("done.set()", subshell=other)
        kernel.wait(running)
    kernel.execute("go.set()", subshell=other)
    debugged.asks_again()
    debugged.quit()
    results(kernel, child, other)
    kernel.execute("done.set()", subshell=other)
    kernel.wait(running)
    results(kernel, None, child)


@pytest.mark.parametrize("first", ["main", "child"])
def test_two_shells_are_being_debugged(kernel: Wire, child: str, hook: None, first: str) -> None:
    shells = [None, child] if first == "main" else [child, None]
    one, two = (Debugged(kernel, shell) for shell in shells)
    third = kernel.create()
    one.say("!print('held', flush=True) or go.wait(30)")
    kernel.wait_for_text(one.msg_id, "held")
    two.say("!print('held', flush=True) or done.wait(30)")
    kernel.wait_for_text(two.msg_id, "held")
    results(kernel, third)
    kernel.execute("go.set()", subshell=third)
    one.asks_again()
    one.quit()
    results(kernel, shells[0], third)
    kernel.execute("done.set()", subshell=third)
    two.asks_again()
    two.say("inner")
    two.asks_again()
    assert "42" in two.quit()
    results(kernel, None, child, third)


def at_the_prompt(process: KernelProcess, stock: Wire) -> Debugged:
    """A debugger in the stock kernel, whose first input_request of all may get lost.

    It goes to a client that the stdin socket has not looked for yet.
    """
    try:
        return Debugged(stock, None)
    except AssertionError:
        process.signal()
        return Debugged(stock, None)


def test_loaded_and_unloaded_at_the_prompt_of_a_debugger(
    process: KernelProcess, stock: Wire
) -> None:
    manager = "get_ipython().extension_manager"
    stock.execute("import sys")
    stock.execute("hook = sys.displayhook")
    debugged = at_the_prompt(process, stock)
    debugged.say(f"!{manager}.load_extension('ipyext')")
    debugged.asks_again()
    child = stock.create()
    results(stock, child)
    debugged.say("inner")
    debugged.asks_again()
    assert "42" in debugged.quit()
    results(stock, None, child)
    debugged = Debugged(stock, None)
    debugged.say(f"!{manager}.unload_extension('ipyext')")
    debugged.asks_again()
    debugged.say("inner")
    debugged.asks_again()
    assert "42" in debugged.quit()
    results(stock, None)
    assert stock.execute("sys.displayhook is hook").result == "True"


# -- sys.displayhook itself ------------------------------------------------------------------------

DOCTEST = """
import doctest
def tested():
    '''
    >>> held.set(); go.wait(30)
    True
    >>> 1 + 1
    2
    '''
doctest.run_docstring_examples(tested, {**globals(), "tested": tested})
print("tested")
"""


@pytest.mark.fault
@pytest.mark.parametrize("who", ["main", "child"])
def test_results_while_another_shell_runs_a_doctest(kernel: Wire, child: str, who: str) -> None:
    where, other = (None, child) if who == "main" else (child, None)
    kernel.execute("held = threading.Event(); go.clear()")
    testing = kernel.send_execute(DOCTEST, subshell=where)
    kernel.execute("held.wait(30)", subshell=kernel.create())
    results(kernel, other)
    assert kernel.execute("Out[max(Out)]", subshell=other).result == "'result'"
    kernel.execute("go.set()", subshell=other)
    (answer,) = kernel.wait(testing)
    assert answer.text() == "tested\n"
    results(kernel, None, child)


ASSIGNED = """
sys.displayhook = lambda value: print("of its own", value)
held.set(); go.wait(30)
6 * 7
"""


@pytest.mark.fault
@pytest.mark.parametrize("who", ["main", "child"])
def test_a_display_hook_is_that_of_the_cell_that_assigns_it(
    kernel: Wire, child: str, hook: None, who: str
) -> None:
    where, other = (None, child) if who == "main" else (child, None)
    kernel.execute("held = threading.Event(); go.clear()")
    running = kernel.send_execute(ASSIGNED, subshell=where)
    kernel.execute("held.wait(30)", subshell=kernel.create())
    results(kernel, other)
    kernel.execute("go.set()", subshell=other)
    (answer,) = kernel.wait(running)
    assert (answer.result, answer.text()) == (None, "of its own 42\n")
    results(kernel, None, child)


def test_a_display_hook_that_calls_the_former_one(kernel: Wire, where: str | None) -> None:
    before = "import sys\nformer = sys.displayhook\n"
    also = "sys.displayhook = lambda value: (print('also', value), former(value))\n6 * 7"
    answer = kernel.execute(before + also, subshell=where)
    assert (answer.result, answer.text()) == ("42", "also 42\n")
    back = before + "sys.displayhook = print\nsys.displayhook = former\n6 * 7"
    assert kernel.execute(back, subshell=where).result == "42"


def test_a_display_hook_of_the_cells_that_load_and_unload(stock: Wire) -> None:
    own = "import sys\nsys.displayhook = lambda value: print('own', value)\n"
    for line in ("%load_ext ipyext", "%unload_ext ipyext"):
        answer = stock.execute(f"{own}{line}\n6 * 7")
        assert (answer.result, answer.text()) == (None, "own 42\n")
        results(stock, None)


def test_a_pickler_that_asks_sys_how_it_is_pickled(kernel: Wire) -> None:
    """cloudpickle does, for its way with modules is one for modules of the plain class."""
    assert (
        kernel.execute("import pickle, sys\npickle.loads(pickle.dumps(sys)) is sys").result
        == "True"
    )


# -- %run ------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys, threading
if __name__ == "__main__":
    own = "of " + sys.argv[1]
    early = list(sys.argv)
    sys.held.setdefault(sys.argv[1], threading.Event()).set()
    while not sys.go[sys.argv[1]].wait(0.02): pass  # an interrupt gets in between
    here = [own, *sys.argv[1:], len(sys.argv), "x" in sys.argv, early == sys.argv]
    copies = [sys.argv[1:], [*sys.argv][1:], list(sys.argv)[1:], (["a"] + sys.argv)[2:]]
    print(json.dumps([*here, all(copy == sys.argv[1:] for copy in copies), __name__]))
"""


@pytest.fixture
def scripts(kernel: Wire, child: str, tmp_path: Path) -> Iterator[str]:
    """The path of a script that waits for `sys.go[its argument]`, in a kernel with both tables."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    code = (
        "names = ('main', 'one', 'two')\n"
        "sys.go = {n: threading.Event() for n in names}\n"
        "sys.held = {n: threading.Event() for n in names}\n"
        "before = sys.argv, type(sys.argv), list(sys.argv), sys.modules['__main__']"
    )
    assert kernel.execute(code).status == "ok"
    yield str(script)
    after = "sys.argv, type(sys.argv), list(sys.argv), sys.modules['__main__']"
    assert kernel.execute(f"[a is b or a == b for a, b in zip(before, ({after}))]").result == (
        "[True, True, True, True]"
    )
    kernel.execute("del sys.go, sys.held")


def run(kernel: Wire, script: str, name: str, where: str | None, options: str = "") -> str:
    """Start the script; it has seen its arguments once when this returns."""
    msg_id = kernel.send_execute(f"%run {options} {script} {name} x", subshell=where)
    looker = kernel.create()
    waited = f"sys.held[{name!r}].wait(30)"
    assert kernel.execute(waited, subshell=looker).result == "True"
    kernel.delete(looker)
    return msg_id


def said(name: str) -> str:
    return f'["of {name}", "{name}", "x", 3, true, true, true, "__main__"]\n'


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize("begins", ["main", "one"])
def test_scripts_of_several_shells(
    kernel: Wire, child: str, scripts: str, order: tuple[int, ...], begins: str
) -> None:
    other, looker = kernel.create(), kernel.create()
    shells = [("main", None), ("one", child), ("two", other)]
    if begins == "one":
        shells = [*shells[1:], shells[0]]
    running = [run(kernel, scripts, name, where) for name, where in shells]
    for index in order:
        name = shells[index][0]
        kernel.execute(f"sys.go[{name!r}].set()", subshell=looker)
        (answer,) = kernel.wait(running[index])
        assert (answer.status, answer.text()) == ("ok", said(name))
    assert kernel.execute("own").status == "ok"  # as ever, %run leaves the script's variables


def test_a_plain_cell_of_main_while_a_child_runs_a_script(
    kernel: Wire, child: str, scripts: str
) -> None:
    running = run(kernel, scripts, "one", child)
    assert kernel.execute("sys.argv == before[2], sys.argv[1:] == before[2][1:]").result == (
        "(True, True)"
    )
    code = "import copy, pickle\n[type(f(sys.argv)).__name__ for f in (copy.copy, copy.deepcopy)]"
    assert kernel.execute(code).result == "['list', 'list']"
    assert kernel.execute("pickle.loads(pickle.dumps(sys.argv)) == before[2]").result == "True"
    kernel.execute("sys.go['one'].set()")
    assert kernel.wait(running)[0].text() == said("one")


def test_a_script_that_is_interrupted_leaves_nothing_behind(
    kernel: Wire, child: str, scripts: str
) -> None:
    running = [run(kernel, scripts, "one", child), run(kernel, scripts, "main", None)]
    kernel.control("interrupt_request", {"subshell_id": child})
    kernel.execute("sys.go['main'].set()", subshell=kernel.create())
    kernel.wait(*running)
    assert kernel.answers[running[1]].text() == said("main")


def test_a_script_within_a_script(kernel: Wire, child: str, scripts: str, tmp_path: Path) -> None:
    outer = tmp_path / "outer.py"
    outer.write_text(
        "import sys\nfrom IPython import get_ipython\n"
        f"get_ipython().run_line_magic('run', {scripts + ' one x'!r})\n"
        "print(sys.argv[1:], __name__, sys.modules['__main__'].__file__ == __file__)\n"
    )
    kernel.execute("sys.go['one'].set()")
    for where in (child, None):
        answer = kernel.execute(f"%run {outer} a b", subshell=where)
        assert answer.text() == said("one") + "['a', 'b'] __main__ True\n"


def test_scripts_by_their_own_name(kernel: Wire, child: str, tmp_path: Path) -> None:
    script = tmp_path / "named.py"
    script.write_text("import sys\nsys.met.wait()\nprint(__name__)\n")
    kernel.execute("sys.met = threading.Barrier(2, timeout=30)")
    running = [kernel.send_execute(f"%run -n {script}", subshell=s) for s in (None, child)]
    for answer in kernel.wait(*running):
        assert (answer.status, answer.text()) == ("ok", "named\n")
    assert kernel.execute("'named' in sys.modules").result == "False"
    kernel.execute("del sys.met")
