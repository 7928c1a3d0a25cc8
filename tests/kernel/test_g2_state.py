"""G2: counts, histories, last results and last errors belong to one shell; variables to all."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import LANE
from tests.wire import Answer, Wire


def counts(answer: Answer) -> set[int]:
    """Every execution count that the answer mentions; one, if all is well."""
    found = {answer.content["execution_count"]}
    found |= {c["execution_count"] for c in answer.of("execute_input")}
    return found | {c["execution_count"] for c in answer.of("execute_result")}


def test_a_child_counts_from_one(kernel: Wire, child: str) -> None:
    for expected in (1, 2, 3):
        assert counts(kernel.execute("'x'", subshell=child)) == {expected}


def test_main_counts_as_if_there_were_no_child(kernel: Wire, child: str) -> None:
    before = kernel.execute("'x'").content["execution_count"]
    for _ in range(5):
        kernel.execute("'y'", subshell=child)
    assert counts(kernel.execute("'x'")) == {before + 1}


@pytest.mark.fault
def test_the_count_of_a_running_cell_of_main_is_its_own(kernel: Wire, child: str) -> None:
    running = kernel.begin("go.wait()\n'x'")
    for _ in range(5):
        kernel.execute("'y'", subshell=child)
    kernel.execute("go.set()", subshell=child)
    (answer,) = kernel.wait(running)
    assert len(counts(answer)) == 1


@pytest.mark.fault
def test_counts_of_three_shells_that_run_at_once(kernel: Wire, child: str) -> None:
    other = kernel.create()
    first = kernel.execute("0").content["execution_count"] + 1
    sent = [
        (shell, kernel.send_execute("'x'", subshell=shell))
        for _ in range(40)
        for shell in (None, child, other)
    ]
    kernel.wait(*(msg_id for _, msg_id in sent))
    for shell, start in ((None, first), (child, 1), (other, 1)):
        found = [counts(kernel.answers[msg_id]) for where, msg_id in sent if where == shell]
        assert found == [{start + n} for n in range(40)]


def test_cells_without_history_do_not_count(kernel: Wire, child: str) -> None:
    kernel.execute("1", subshell=child, store_history=False)
    assert kernel.execute("2", subshell=child).content["execution_count"] == 1


def test_an_error_counts(kernel: Wire, child: str) -> None:
    assert kernel.execute("1/0", subshell=child).content["execution_count"] == 1
    assert kernel.execute("2", subshell=child).content["execution_count"] == 2


def test_variables_are_shared(kernel: Wire, child: str) -> None:
    kernel.execute("x = [1]")
    kernel.execute("x.append(2); y = 'new'", subshell=child)
    assert kernel.execute("x, y").result == "([1, 2], 'new')"
    kernel.execute("del y", subshell=child)
    assert kernel.execute("'y' in globals()").result == "False"


def test_functions_of_a_child_see_what_main_defines_later(kernel: Wire, child: str) -> None:
    kernel.execute("def twice(): return 2 * later", subshell=child)
    kernel.execute("later = 21")
    assert kernel.execute("twice()").result == "42"
    assert kernel.execute("twice()", subshell=child).result == "42"
    assert kernel.execute("[twice() for _ in range(1)]", subshell=child).result == "[42]"


@pytest.mark.fault
def test_last_results_are_the_shells_own(kernel: Wire, child: str) -> None:
    kernel.execute("'of main'")
    kernel.execute("'of child'", subshell=child)
    assert kernel.execute("_").result == "'of main'"
    assert kernel.execute("_", subshell=child).result == "'of child'"


def test_older_results_are_the_shells_own(kernel: Wire, child: str) -> None:
    for n in (1, 2, 3):
        kernel.execute(f"'main {n}'")
        kernel.execute(f"'child {n}'", subshell=child)
    assert kernel.execute("[_, __, ___]").result == "['main 3', 'main 2', 'main 1']"
    assert kernel.execute("[_, __, ___]", subshell=child).result == (
        "['child 3', 'child 2', 'child 1']"
    )


def test_out_is_the_shells_own(kernel: Wire, child: str) -> None:
    count = kernel.execute("'of main'").content["execution_count"]
    kernel.execute("'of child'", subshell=child)
    assert kernel.execute("dict(Out)", subshell=child).result == "{1: 'of child'}"
    assert kernel.execute(f"Out[{count}], _{count}").result == "('of main', 'of main')"
    assert kernel.execute("'of child' in Out.values()").result == "False"


def test_in_is_the_shells_own(kernel: Wire, child: str) -> None:
    kernel.execute("secret = 1", subshell=child)
    assert kernel.execute("'secret = 1' in In").result == "False"
    assert kernel.execute("In[1], _i", subshell=child).result == "('secret = 1', 'secret = 1')"
    assert kernel.execute("In[-1]").result == "'In[-1]'"


def test_numbered_results_of_a_child(kernel: Wire, child: str) -> None:
    kernel.execute("'first'", subshell=child)
    assert kernel.execute("_1, _i1", subshell=child).result == "('first', \"'first'\")"


def test_a_child_does_not_show_its_results_in_mains_underscore_while_main_runs(
    kernel: Wire, child: str
) -> None:
    running = kernel.begin("'x'\ngo.wait()\nprint('_' in globals() and _)")
    kernel.execute("'of child'", subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert "of child" not in kernel.wait(running)[0].text()


@pytest.mark.fault
def test_the_last_error_is_the_shells_own(kernel: Wire, child: str) -> None:
    kernel.execute("raise ValueError('of main')")
    kernel.execute("raise KeyError('of child')", subshell=child)
    assert kernel.execute("sys.last_value").result == "ValueError('of main')"
    assert "of main" in "".join(kernel.execute("%tb").of("error")[0]["traceback"])
    assert "of child" in "".join(kernel.execute("%tb", subshell=child).of("error")[0]["traceback"])


def test_exceptions_that_are_caught_stay_in_their_thread(kernel: Wire, child: str) -> None:
    running = kernel.begin(
        "try:\n    1/0\nexcept ZeroDivisionError:\n    go.wait()\n"
        "    print(type(sys.exc_info()[1]).__name__)"
    )
    kernel.execute("raise KeyError", subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(running)[0].text() == "begun\nZeroDivisionError\n"


def test_get_ipython_is_the_shells_own(kernel: Wire, child: str) -> None:
    kernel.execute("import IPython\nof_main = get_ipython()")
    cell = "get_ipython() is of_main, IPython.get_ipython() is of_main"
    assert kernel.execute(cell).result == "(True, True)"
    assert kernel.execute(cell, subshell=child).result == "(False, False)"
    count = kernel.execute("get_ipython().execution_count", subshell=child).result
    assert count in ("2", "3")  # versions of IPython differ in when they count a cell
    cell = "get_ipython() is IPython.get_ipython(), get_ipython().__class__.__name__"
    assert kernel.execute(cell, subshell=child).result == "(True, 'ZMQInteractiveShell')"


def test_get_ipython_in_a_thread_of_a_child(kernel: Wire, child: str) -> None:
    cell = (
        "found = []\nthread = threading.Thread(target=lambda: found.append(get_ipython()))\n"
        "thread.start(); thread.join()\nfound[0] is get_ipython()"
    )
    assert kernel.execute(cell, subshell=child).result == "True"


def test_each_shell_has_a_thread_of_its_own(kernel: Wire, child: str) -> None:
    cell = "threading.current_thread().name, threading.current_thread().daemon"
    assert kernel.execute(cell).result == "('MainThread', False)"
    name, daemon = eval(str(kernel.execute(cell, subshell=child).result))
    assert name.startswith("subshell-")
    assert daemon is True


@pytest.mark.parametrize("where", ["main", "child"])
def test_await(kernel: Wire, child: str, where: str) -> None:
    answer = kernel.execute(
        "async def one():\n    await asyncio.sleep(0)\n    return 41\n"
        "x = await one()\nprint('awaited')\nx + 1",
        subshell=child if where == "child" else None,
    )
    assert (answer.text(), answer.result) == ("awaited\n", "42")


def test_await_in_two_children_while_main_loops(kernel: Wire, child: str) -> None:
    other = kernel.create()
    loop = kernel.begin("while not go.is_set(): pass")
    cell = (
        "event_{0} = asyncio.Event()\n"
        "asyncio.get_running_loop().call_soon(event_{0}.set)\nawait event_{0}.wait()\n'{0}'"
    )
    answers = kernel.wait(
        kernel.send_execute(cell.format("a"), subshell=child),
        kernel.send_execute(cell.format("b"), subshell=other),
    )
    kernel.execute("go.set()", subshell=child)
    assert [a.result for a in answers] == ["'a'", "'b'"]
    kernel.wait(loop)


def test_async_for_and_with_in_a_child(kernel: Wire, child: str) -> None:
    cell = (
        "import contextlib\n"
        "async def numbers():\n    for n in range(3):\n        yield n\n"
        "@contextlib.asynccontextmanager\nasync def within():\n    yield 5\n"
        "seen = [n async for n in numbers()]\nasync with within() as five:\n    seen.append(five)\n"
        "seen"
    )
    assert kernel.execute(cell, subshell=child).result == "[0, 1, 2, 5]"


def test_an_error_in_an_awaiting_cell(kernel: Wire, child: str) -> None:
    answer = kernel.execute("await asyncio.sleep(0)\n1/0", subshell=child)
    assert answer.content["ename"] == "ZeroDivisionError"
    assert len(answer.of("error")) == 1


def test_context_variables_persist_from_cell_to_cell(kernel: Wire, child: str) -> None:
    kernel.execute("from contextvars import ContextVar\nvar = ContextVar('var', default='unset')")
    assert kernel.execute("var.set('child'); var.get()", subshell=child).result == "'child'"
    assert kernel.execute("var.get()").result == "'unset'"
    # ipykernel 5 runs every cell in a context of its own, on main as in a child.
    kept = "'child'" if LANE > 5 else "'unset'"
    assert kernel.execute("var.get()", subshell=child).result == kept


def test_who_lists_what_people_made(kernel: Wire, child: str) -> None:
    before = kernel.execute("%who_ls").result
    kernel.execute("made_here = 1", subshell=child)
    for where in (None, child):
        names = ast.literal_eval(str(kernel.execute("%who_ls", subshell=where).result))
        assert set(names) - set(ast.literal_eval(str(before))) == {"made_here"}
        assert not {"In", "Out", "get_ipython"} & set(names)


def test_system_exit_in_a_child_is_an_error(kernel: Wire, child: str) -> None:
    answer = kernel.execute("raise SystemExit(3)", subshell=child)
    assert answer.content["ename"] == "SystemExit"
    assert kernel.execute("'alive'", subshell=child).result == "'alive'"


@pytest.mark.parametrize(
    ("magic", "expected"),
    [
        ("%time x = 1", "Wall time"),
        ("%timeit -n1 -r1 pass", "per loop"),
        ("%who_ls", None),
        ("%pwd", None),
        ("%precision 3", None),
        ("%%time\nprint('timed')", "timed"),
        ("%config IPCompleter", "options"),
        ("%lsmagic", None),
        ("%env IPYEXT_TEST=1", "IPYEXT_TEST"),
        ("%%bash\necho from bash", "from bash"),
        ("%%writefile written.txt\ntext", "written.txt"),
    ],
)
def test_magics_in_a_child(kernel: Wire, child: str, magic: str, expected: str | None) -> None:
    running = kernel.begin("go.wait()")
    answer = kernel.execute(magic, subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert answer.status == "ok", answer.content
    if expected is not None:
        assert expected in answer.text() + (answer.result or "")
    assert kernel.wait(running)[0].text() == "begun\n"


def test_magics_work_on_the_childs_own_shell(kernel: Wire, child: str) -> None:
    kernel.execute(
        "from IPython.core.magic import Magics, line_magic, magics_class\n"
        "@magics_class\nclass Mine(Magics):\n"
        "    @line_magic\n    def whose(self, line): return self.shell is of_main\n"
        "of_main = get_ipython()\nof_main.register_magics(Mine)"
    )
    assert kernel.execute("%whose").result == "True"
    assert kernel.execute("%whose", subshell=child).result == "False"


def test_run_magic_in_a_child(kernel: Wire, child: str) -> None:
    kernel.execute("%%writefile script.py\nprint('script'); from_script = 7", subshell=child)
    answer = kernel.execute("%run script.py\nfrom_script", subshell=child)
    assert (answer.text(), answer.result) == ("script\n", "7")


def test_history_magic_of_a_child(kernel: Wire, child: str) -> None:
    kernel.execute("mark = 'child'", subshell=child)
    answer = kernel.execute("%history", subshell=child)
    assert "mark = 'child'" in answer.text()
    assert "%load_ext" not in answer.text()


def test_completion_in_a_child_sees_shared_names(kernel: Wire, child: str) -> None:
    kernel.execute("wonderful_name = 1")
    content = {"code": "wonderf", "cursor_pos": 7}
    answer = kernel.request("complete_request", content, subshell=child)
    assert "wonderful_name" in answer.content["matches"]


def test_inspection_in_a_child_sees_shared_names(kernel: Wire, child: str) -> None:
    kernel.execute("def documented():\n    '''Words of help.'''")
    content = {"code": "documented", "cursor_pos": 5, "detail_level": 0}
    answer = kernel.request("inspect_request", content, subshell=child)
    assert "Words of help." in answer.content["data"]["text/plain"]


@pytest.mark.fault
@pytest.mark.parametrize("timed", ["main", "child"])
def test_timeit_puts_no_variable_back(kernel: Wire, child: str, timed: str) -> None:
    """What another shell assigns meanwhile stays."""
    code = "import threading\nbegan, go = threading.Event(), threading.Event()\nx = 'before'"
    kernel.execute(code)
    timing = "result = %timeit -q -o -n 1 -r 1 (began.set(), go.wait(30))"
    times, assigns = (None, child) if timed == "main" else (child, None)
    running = kernel.send_execute(timing, subshell=times)
    kernel.execute("began.wait(30)\nx = 'assigned'\ngo.set()", subshell=assigns)
    assert kernel.wait(running)[0].status == "ok"
    assert kernel.execute("x").result == "'assigned'"


def test_timeit_sees_the_variables_of_a_function(kernel: Wire, where: str | None) -> None:
    code = (
        "seen = []\ndef f():\n    own = 'of f'\n"
        "    get_ipython().run_line_magic('timeit', '-q -n 1 -r 1 seen.append(own)')\nf()\nseen"
    )
    assert kernel.execute(code, subshell=where).result == "['of f']"


def test_autocall_is_one_for_all(kernel: Wire, child: str) -> None:
    """Cells are read by main's prefilters."""
    assert "Smart" in kernel.execute("%autocall 1", subshell=child).text()
    for where in (child, None):
        answer = kernel.execute("len 'abc'", subshell=where)
        assert (answer.status, answer.result) == ("ok", "3")
    assert "OFF" in kernel.execute("%autocall 0").text().upper()
    assert kernel.execute("len 'abc'", subshell=child, stop_on_error=False).status == "error"
    assert kernel.execute("get_ipython().autocall", subshell=child).result == "0"
