"""G2: every shell has its own history, in magics, in history_request and in the database.

See test_g2_state.py for counts, `_`, `In` and `Out` one by one.
"""

from __future__ import annotations

import ast
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED
from tests.wire import Answer, KernelProcess, Wire

CELLS = 300


def inputs(answer: Answer) -> list[str]:
    """The inputs in a history_reply."""
    assert answer.status == "ok", answer.content
    return [entry[2] for entry in answer.content["history"]]


# -- magics ----------------------------------------------------------------------------------------


@pytest.fixture
def told(kernel: Wire, child: str) -> str:
    """A child with a short history, beside a main with a similar one."""
    kernel.execute("told = 'main'")
    kernel.execute("told + '!'")
    kernel.execute("told = 'child'", subshell=child)
    kernel.execute("told + '?'", subshell=child)
    return child


@pytest.mark.parametrize(
    ("magic", "shown"),
    [
        ("%history", "told = 'child'\ntold + '?'\n%history\n"),
        ("%history -n", "   1: told = 'child'\n   2: told + '?'\n   3: %history -n\n"),
        ("%history 1-2", "told = 'child'\ntold + '?'\n"),
        ("%history -n 2", "   2: told + '?'\n"),
        ("%history -o 1-2", "told = 'child'\ntold + '?'\n'child?'\n"),
        ("%history -l 2", "told = 'child'\ntold + '?'\n"),
        ("%history -p 1", ">>> told = 'child'\n"),
        ("%history -n -g told +*", "   2: told + '?'\n   3: %history -n -g told +*\n"),
    ],
)
@pytest.mark.parametrize("busy", [False, True], ids=["main-idle", "main-busy"])
def test_history_magic(kernel: Wire, told: str, magic: str, shown: str, busy: bool) -> None:
    running = [kernel.begin("go.wait()")] if busy else []
    assert kernel.execute(magic, subshell=told).text() == shown
    kernel.execute("go.set()", subshell=told)
    kernel.wait(*running)


@pytest.mark.parametrize(
    ("magic", "text"),
    [
        ("%recall", "child?"),
        ("%recall 1-2", "told = 'child'\ntold + '?'"),
        ("%recall told = ", "told = 'child'"),
        ("%rep 2", "told + '?'"),
    ],
)
def test_recall(kernel: Wire, told: str, magic: str, text: str) -> None:
    (payload,) = kernel.execute(magic, subshell=told).content["payload"]
    assert (payload["source"], payload["text"]) == ("set_next_input", text)


@pytest.mark.parametrize("magic", ["%rerun 1-2", "%rerun -l 2", "%rerun -g told +"])
def test_rerun(kernel: Wire, told: str, magic: str) -> None:
    kernel.execute("told = 'changed'")
    answer = kernel.execute(magic, subshell=told)
    assert answer.result == ("'changed?'" if "-g" in magic else "'child?'")
    assert "!" not in answer.text(), "that is main's history"
    assert kernel.execute("told + '!'").result == answer.result.replace("?", "!")


def test_macro_and_save(kernel: Wire, told: str) -> None:
    kernel.execute("%macro again 1-2\n%save -f saved.py 1-2", subshell=told)
    kernel.execute("told = 'changed'")
    assert kernel.execute("again", subshell=told).result == "'child?'"
    saved = kernel.execute("print(open('saved.py').read())").text()
    assert saved.split("\n", 1)[1].strip() == "told = 'child'\ntold + '?'"


def test_histories_of_two_children(kernel: Wire, told: str) -> None:
    other = kernel.create()
    kernel.execute("'other'", subshell=other)
    assert kernel.execute("%history", subshell=other).text() == "'other'\n%history\n"
    assert "other" not in kernel.execute("%history", subshell=told).text()
    assert "other" not in kernel.execute("%history").text()


# -- history_request -------------------------------------------------------------------------------


def asked(kernel: Wire, where: str | None, access: str, **content: Any) -> Answer:
    content = {"hist_access_type": access, "output": False, "raw": True, **content}
    return kernel.request("history_request", content, subshell=where)


@pytest.mark.parametrize("busy", [False, True], ids=["main-idle", "main-busy"])
def test_history_request(kernel: Wire, told: str, busy: bool) -> None:
    running = [kernel.begin("'of main'\ngo.wait()")] if busy else []
    own = [[0, 1, "told = 'child'"], [0, 2, "told + '?'"]]
    assert asked(kernel, told, "tail", n=5).content["history"] == own
    assert asked(kernel, told, "tail", n=1).content["history"] == own[1:]
    assert asked(kernel, told, "tail").content["history"] == own
    assert asked(kernel, told, "range", start=1).content["history"] == own
    assert asked(kernel, told, "range", start=1, stop=2).content["history"] == own[:1]
    assert asked(kernel, told, "range", start=1, stop=0).content["history"] == own
    assert asked(kernel, told, "range", start=1, stop=-1).content["history"] == own[:1]
    assert asked(kernel, told, "range", start=-1).content["history"] == own[1:]
    assert asked(kernel, told, "search", pattern="told*").content["history"] == own
    assert asked(kernel, told, "search", pattern="*", n=1).content["history"] == own[1:]
    assert asked(kernel, told, "search", pattern="*!*").content["history"] == []
    output = asked(kernel, told, "range", start=1, output=True).content["history"]
    assert output == [[0, 1, ["told = 'child'", None]], [0, 2, ["told + '?'", "'child?'"]]]

    ran = ["told = 'main'", "told + '!'"] + ["print('begun')\n'of main'\ngo.wait()"] * busy
    assert inputs(asked(kernel, None, "tail", n=len(ran))) == ran
    assert inputs(asked(kernel, None, "range", start=-len(ran))) == ran
    assert ran[0] in inputs(asked(kernel, None, "search", pattern="told*"))
    kernel.execute("go.set()", subshell=told)
    kernel.wait(*running)


def test_unique_search(kernel: Wire, child: str) -> None:
    for code in ("x = 1", "y = 1", "x = 1"):
        kernel.execute(code, subshell=child)
    found = asked(kernel, child, "search", pattern="?*= 1", unique=True)
    assert sorted(inputs(found)) == ["x = 1", "y = 1"]


def test_cells_without_history_are_not_in_it(kernel: Wire, child: str) -> None:
    kernel.execute("'seen'", subshell=child)
    kernel.execute("'hidden'", subshell=child, store_history=False)
    kernel.execute("'silent'", subshell=child, silent=True)
    assert inputs(asked(kernel, child, "tail", n=10)) == ["'seen'"]


def test_the_history_of_a_child_that_has_run_nothing(kernel: Wire, child: str) -> None:
    assert asked(kernel, child, "tail", n=10).content["history"] == []
    assert asked(kernel, child, "search", pattern="*").content["history"] == []


# -- the database ----------------------------------------------------------------------------------


Started = tuple[KernelProcess, Wire, Path]


@pytest.fixture
def stored(start_kernel: Callable[..., KernelProcess], tmp_path: Path) -> Started:
    """A kernel with the extension and a history file of its own."""
    file = tmp_path / "history.sqlite"
    process = start_kernel(f"--HistoryManager.hist_file={file}", "--HistoryManager.enabled=True")
    kernel = process.client()
    assert kernel.execute("%load_ext ipyext").status == "ok"
    assert kernel.execute(SHARED).status == "ok"
    return process, kernel, file


def end(process: KernelProcess, kernel: Wire) -> None:
    """Shut the kernel down; everything it had to say about its history is in its log then."""
    kernel.check()
    assert kernel.control("shutdown_request", {"restart": False})["status"] == "ok"
    assert process.gone_within(20)
    log = process.log.read_text()
    assert "unique" not in log
    assert "locked" not in log
    assert "Traceback" not in log


def sessions(file: Path) -> dict[str, list[tuple[int, str]]]:
    """Line numbers and inputs by the remark of their session; main's has none."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        remarks = dict(database.execute("SELECT session, remark FROM sessions"))
        assert len(set(remarks.values())) == len(remarks), remarks
        found: dict[str, list[tuple[int, str]]] = {remark: [] for remark in remarks.values()}
        rows = "SELECT session, line, source_raw FROM history ORDER BY session, line"
        for session, line, source in database.execute(rows):
            found[remarks[session]].append((line, source))
        return found


@pytest.mark.parametrize("unload", [True, False], ids=["unloaded", "shut-down"])
def test_inputs_of_a_child_are_a_session_of_their_own(stored: Started, unload: bool) -> None:
    process, kernel, file = stored
    child, other = kernel.create("work"), kernel.create("deleted")
    kernel.execute("'of main'")
    kernel.execute("'first'", subshell=child)
    kernel.execute("1/0", subshell=child)
    kernel.execute("'third'\n'of three lines'\n", subshell=child)
    kernel.execute("'hidden'", subshell=child, store_history=False)
    kernel.execute("exit", subshell=child)  # IPython never stores this
    kernel.execute("'of the deleted'", subshell=other)
    kernel.delete(other)
    if unload:
        kernel.execute("%unload_ext ipyext")
    end(process, kernel)
    found = sessions(file)
    assert found.pop("subshell work") == [
        (1, "'first'"),
        (2, "1/0"),
        (3, "'third'\n'of three lines'"),
    ]
    assert found.pop("subshell deleted") == [(1, "'of the deleted'")]
    main = ["%load_ext ipyext", SHARED.rstrip(), "'of main'"] + ["%unload_ext ipyext"] * unload
    assert found == {"": list(enumerate(main, 1))}
    with contextlib.closing(sqlite3.connect(file)) as database:
        ended = dict(database.execute("SELECT remark, num_cmds FROM sessions WHERE end NOT NULL"))
    assert (ended["subshell work"], ended["subshell deleted"]) == (3, 1)


def test_a_new_session_of_a_child_is_another_one_in_the_database(stored: Started) -> None:
    process, kernel, file = stored
    child = kernel.create("work")
    kernel.execute("'before'", subshell=child)
    kernel.execute("get_ipython().reset(new_session=True)", subshell=child)
    kernel.execute("'after'", subshell=child)
    end(process, kernel)
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = "SELECT source_raw FROM history NATURAL JOIN sessions WHERE remark = ?"
        found = [row[0] for row in database.execute(rows, ("subshell work",))]
    assert "'before'" in found
    assert "'after'" in found


def test_three_shells_racing(stored: Started) -> None:
    process, kernel, file = stored
    shells = {"main": None, "one": kernel.create("one"), "two": kernel.create("two")}
    start = {"main": kernel.execute("'x'").content["execution_count"] + 1, "one": 1, "two": 1}
    sent = {
        (who, n): kernel.send_execute(f"{n}, '{who}'", subshell=where)
        for n in range(CELLS)
        for who, where in shells.items()
    }
    kernel.wait(*sent.values(), timeout=90)
    for (who, n), msg_id in sent.items():
        answer = kernel.answers[msg_id]
        assert answer.result == f"({n}, '{who}')"
        assert answer.content["execution_count"] == start[who] + n
        assert (answer.text(), answer.text("stderr")) == ("", "")
    assert kernel.stray_output() == []
    for who in ("one", "two"):
        found = kernel.execute("print([dict(Out), In[1:-1]])", subshell=shells[who]).text()
        results, ran = ast.literal_eval(found)
        assert results == {n + 1: (n, who) for n in range(CELLS)}
        assert ran == [f"{n}, '{who}'" for n in range(CELLS)]
        asked_for = asked(kernel, shells[who], "range", start=1, stop=CELLS + 1)
        assert inputs(asked_for) == [f"{n}, '{who}'" for n in range(CELLS)]
    end(process, kernel)
    rows = {remark or "main": found for remark, found in sessions(file).items()}
    for who, name in (("main", "main"), ("one", "subshell one"), ("two", "subshell two")):
        first = start[who] - 1
        assert rows[name][first : first + CELLS] == [
            (start[who] + n, f"{n}, '{who}'") for n in range(CELLS)
        ]


# -- from elsewhere --------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [False, True], ids=["main-idle", "main-busy"])
def test_subshell_history_magic(kernel: Wire, child: str, busy: bool) -> None:
    work = kernel.create("work")
    kernel.execute("first = 1\nfirst", subshell=work)
    kernel.execute("'second'", subshell=work)
    running = [kernel.begin("go.wait()")] if busy else []
    shown = "   1: first = 1\nfirst\n   2: 'second'\n"
    assert kernel.execute("%subshell history work").text() == shown
    assert kernel.execute(f"%subshell history {work[:8]}").text() == shown
    assert kernel.execute("%subshell history work", subshell=child).text() == shown
    own = kernel.execute("%subshell history", subshell=work).text()
    assert own == shown + "   3: %subshell history\n"
    of_main = kernel.execute("%subshell history main", subshell=child).text()
    assert of_main.startswith("   1: %load_ext ipyext\n")
    assert "second" not in of_main
    kernel.execute("go.set()", subshell=child)
    kernel.wait(*running)


def test_inputs_and_results_from_python(kernel: Wire, child: str) -> None:
    work = kernel.create("work")
    kernel.execute("import ipyext\nmade = object()")
    assert kernel.execute("w = ipyext.subshell('work'); w.inputs(), w.results()").result == (
        "([], {})"
    )
    kernel.execute("x = 1", subshell=work)
    kernel.execute("made", subshell=work)
    cell = "w = ipyext.subshell('work'); w.inputs(), list(w.results()), w.results()[2] is made"
    for where in (None, child, work):
        found = ast.literal_eval(str(kernel.execute(cell, subshell=where).result))
        assert found[0][:2] == ["x = 1", "made"]
        assert found[1:] == ([2], True)
    kernel.execute("'of main'")
    answer = kernel.execute(
        "m = ipyext.subshell('main'); m.inputs()[-1], 'of main' in m.results().values()",
        subshell=child,
    )
    assert answer.result == "(\"'of main'\", True)"
    kernel.delete(work)
    assert kernel.execute("w.results()").content["ename"] == "SubshellNotFoundError"


# -- what is main's stays main's -------------------------------------------------------------------

STATE = """
def state():
    names = ("_", "__", "___", "_i", "_ii", "_iii", "In", "Out", "_ih", "_oh", *numbered)
    last = [getattr(sys, "last_" + name, None) for name in ("type", "value", "traceback")]
    shell = get_ipython()
    return {
        **{name: (id(globals()[name]), repr(globals()[name])) for name in names},
        "last": [(id(value), repr(value)) for value in last],
        "exc": (id(sys.exc_info()[1]), repr(sys.exc_info()[1])),
        "traps": (id(sys.excepthook), id(sys.displayhook)),
        "count": shell.execution_count,
        "tb": id(getattr(shell.InteractiveTB, "tb", None)),
    }
numbered = [name for name in list(globals()) if name[:1] == "_" and name.strip("_i").isdigit()]
"""
DISTURBING = [
    "'result of child'",
    "_, __, _i, In[-1], Out",
    "raise KeyError('of child')",
    "%tb",
    "def def",
    "%history -o",
    "get_ipython().run_cell('1/0', store_history=True)",
    "%who_ls",
    "await asyncio.sleep(0)\n1/0",
    "Out.clear(); In[:] = ['']",
    "_ = 'set by child'; _i = _ii = _1 = 'set by child'",
    "del _, __",
]


@pytest.mark.fault
def test_nothing_of_main_is_touched(kernel: Wire, child: str) -> None:
    kernel.execute("'first of main'")
    kernel.execute("raise ValueError('of main')")
    kernel.execute("'second of main'")
    kernel.execute(STATE)
    running = kernel.begin(
        "try:\n    1/0\nexcept ZeroDivisionError:\n    before = state()\n    go.wait()\n"
        "    after = state()\n{k: (before[k], after[k]) for k in before if before[k] != after[k]}"
    )
    for code in DISTURBING:
        kernel.execute(code, subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert kernel.wait(running)[0].result == "{}"
    # And between its cells: the next one finds what the last one left.
    for code in DISTURBING:
        kernel.execute(code, subshell=child)
    assert kernel.execute("_").result == "{}"
    assert kernel.execute("sys.last_value").result == "ValueError('of main')"
    traceback = "".join(kernel.execute("%tb").of("error")[0]["traceback"])
    assert "of main" in traceback
    assert kernel.execute("_ii").result == "'sys.last_value'"


def test_reset_in_a_child_takes_the_variables_and_leaves_main_its_own(
    kernel: Wire, child: str
) -> None:
    kernel.execute("mark = 'of main'\nmark")
    kernel.execute("'of child'", subshell=child)
    running = kernel.begin(
        "sys.held = go\ndef hold(tell=done.set, wait=go.wait):\n    tell()\n    wait(30)\n"
        "hold()\n'later'"
    )
    kernel.execute("done.wait(30)\n%reset -f", subshell=child)
    assert kernel.execute("_, dict(Out)", subshell=child).result == "('', {})"
    names = "[name for name in ('mark', 'go', 'sys') if name in globals()]"
    assert kernel.execute(names, subshell=child).result == "[]"
    kernel.execute("import sys\nsys.held.set()\ndel sys.held", subshell=child)
    assert kernel.wait(running)[0].result == "'later'"
    assert kernel.execute("_").result == "'later'"
    assert kernel.execute("'of main' in Out.values(), 'of child' in Out.values()").result == (
        "(True, False)"
    )
    assert "load_ext" in str(kernel.execute("In[1]").result)
    shells = "get_ipython() is get_ipython().kernel.shell"
    assert kernel.execute(shells).result == "True"
    assert kernel.execute(shells, subshell=child).result == "False"


def debugged(kernel: Wire, where: str | None, expression: str) -> Answer:
    """%debug, one expression, quit; in the meantime every other shell must go on as before."""
    msg_id = kernel.send_execute("%debug", subshell=where, allow_stdin=True)
    for said in (f"p {expression}", "q"):
        (prompt,) = kernel.wait_for_input()
        kernel.answer_input(prompt, said)
    return kernel.wait(msg_id)[0]


def test_post_mortem_debugging_is_the_shells_own(kernel: Wire, child: str) -> None:
    other = kernel.create()
    for who, where in (("child", child), ("main", None), ("other", other)):
        cell = f"def fail_{who}(of='value of {who}'):\n    return 1/0\nfail_{who}()"
        assert kernel.execute(cell, subshell=where).status == "error"
        assert f"value of {who}" in debugged(kernel, where, "of").text()
    for who, where in (("child", child), ("main", None), ("other", other)):
        assert f"value of {who}" in debugged(kernel, where, "of").text()


def test_post_mortem_debugging_needs_an_error_of_the_shells_own(kernel: Wire, child: str) -> None:
    kernel.execute("raise ValueError('of main')")
    answer = kernel.execute("%debug", subshell=child, allow_stdin=True)
    assert "No traceback" in answer.text("stderr")


def test_results_elsewhere_while_a_child_is_being_debugged(kernel: Wire, child: str) -> None:
    other = kernel.create()
    kernel.execute("1/0", subshell=child)
    msg_id = kernel.send_execute("%debug", subshell=child, allow_stdin=True)
    (prompt,) = kernel.wait_for_input()
    for where in (None, other):
        answer = kernel.execute("'result'", subshell=where)
        assert (answer.result, answer.text()) == ("'result'", "")
    kernel.answer_input(prompt, "q")
    kernel.wait(msg_id)
    assert kernel.execute("'result'", subshell=child).result == "'result'"


def test_inputs_of_routed_cells_are_as_typed(kernel: Wire, child: str) -> None:
    kernel.execute("%%subshell work\n\nx = 1\ny = 2")
    work = next(shell for shell in kernel.shells() if shell != child)
    assert kernel.execute("_ih[1], _i", subshell=work).result == (
        repr(("x = 1\ny = 2", "%%subshell work\n\nx = 1\ny = 2"))
    )
