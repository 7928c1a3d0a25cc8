"""`ipyext.subshells()` and its like: what the magics do, from Python."""

from __future__ import annotations

import ast

import pytest

from tests.wire import Wire


@pytest.fixture
def api(kernel: Wire, child: str) -> Wire:
    kernel.execute("import ipyext\nfrom ipyext import errors")
    return kernel


def test_subshells_from_python(api: Wire, child: str) -> None:
    cell = "[(s.id, s.name, s.state, s.label) for s in ipyext.subshells()]"
    assert ast.literal_eval(str(api.execute(cell).result)) == [
        (None, None, "busy", "main"),
        (child, None, "idle", child),
    ]


def test_create_find_rename_and_delete_from_python(api: Wire, child: str) -> None:
    api.execute("one = ipyext.create_subshell('one')")
    assert api.execute("ipyext.subshell('one') == one or one.id").result is not None
    assert api.execute("one.rename('two').name, ipyext.subshell(one.id).name").result == (
        "('two', 'two')"
    )
    assert api.execute("ipyext.subshell(one.id[:8]).name").result == "'two'"
    api.execute("ipyext.delete_subshell('two')")
    assert api.shells() == [child]


def test_run_from_python(api: Wire, child: str) -> None:
    answer = api.execute(
        "job = ipyext.create_subshell('one').run('print(\"ran\"); 6 * 7')\njob.result(30)"
    )
    assert answer.result == "42"
    api.until(lambda: answer.text() == "ran\n", what="output of the job")
    assert api.execute("[j.number for j in ipyext.jobs()]").result == "[1]"


def test_current_subshell_from_python(api: Wire, child: str) -> None:
    assert api.execute("ipyext.current_subshell().label").result == "'main'"
    assert api.execute("ipyext.current_subshell().id", subshell=child).result == repr(child)


def test_what_runs_from_python(api: Wire, child: str) -> None:
    running = api.begin("go.wait()", subshell=child)
    queued = api.send_execute("1", subshell=child)
    api.execute("1", subshell=api.create())
    cell = "s = ipyext.subshells()[1]; s.state, s.running, s.queued, s.executed, s.thread[:9]"
    found = ast.literal_eval(str(api.execute(cell).result))
    assert found == ("busy", "print('begun')\ngo.wait()", 1, 0, "subshell-")
    api.execute("go.set()")
    api.wait(running, queued)
    assert api.execute("ipyext.subshells()[1].executed").result == "2"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ipyext.subshell('nobody')", "SubshellNotFoundError"),
        ("ipyext.delete_subshell('nobody')", "SubshellNotFoundError"),
        ("ipyext.interrupt('nobody')", "SubshellNotFoundError"),
        ("ipyext.subshell('main').delete()", "SubshellNotFoundError"),
        ("ipyext.subshell('main').run('1')", "SubshellNotFoundError"),
        ("ipyext.create_subshell('a b')", "SubshellNameError"),
        ("ipyext.create_subshell('x'); ipyext.create_subshell('x')", "SubshellNameError"),
    ],
)
def test_errors_from_python(api: Wire, code: str, error: str) -> None:
    assert api.execute(code).content["ename"] == error


def test_not_loaded(stock: Wire) -> None:
    answer = stock.execute("import ipyext; ipyext.subshells()")
    assert answer.content["ename"] == "NotLoadedError"
    assert "%load_ext ipyext" in answer.content["evalue"]


def test_patches_from_python(api: Wire) -> None:
    cell = "'channels.shell' in {report.patch.id for report in ipyext.patches()}"
    assert api.execute(cell).result == "True"
