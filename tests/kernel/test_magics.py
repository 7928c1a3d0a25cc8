"""%subshell, %%subshell and detached cells. The same from Python: test_python_api.py."""

from __future__ import annotations

import re

import pytest

from tests.wire import Answer, KernelProcess, Wire

LOOP = "while not go.is_set(): pass"


def table(answer: Answer) -> list[list[str]]:
    """The rows of a displayed table, cells split at two spaces or more."""
    (text,) = answer.shown
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[2:]]


def said(answer: Answer) -> str:
    """What a refused magic says, wherever it says it."""
    return answer.text("stderr") + str(answer.content.get("evalue", ""))


# -- %subshell -------------------------------------------------------------------------------------


def test_create_list_and_delete(kernel: Wire) -> None:
    answer = kernel.execute("%subshell create plots")
    (made,) = kernel.shells()
    assert answer.text() == f"Created subshell plots ({made}).\n"
    listing = kernel.execute("%subshell list")
    assert "plots" in listing.shown[0]
    assert made in listing.shown[0]
    assert "main" in listing.shown[0]
    assert "<table>" in listing.of("display_data")[0]["data"]["text/html"]
    assert kernel.execute("%subshell delete plots").text() == "Deleted 1 subshell.\n"
    assert kernel.shells() == []


def test_without_arguments_it_lists(kernel: Wire, child: str) -> None:
    assert child in kernel.execute("%subshell").shown[0]


def test_create_without_a_name(kernel: Wire) -> None:
    answer = kernel.execute("%subshell create")
    assert answer.text() == f"Created subshell {kernel.shells()[0]}.\n"


def test_the_table_shows_what_runs(kernel: Wire, child: str) -> None:
    running = kernel.begin(LOOP, subshell=child)
    queued = kernel.send_execute("1", subshell=child)
    kernel.execute("pass", subshell=kernel.create("other"))
    shown = kernel.execute("%subshell").shown[0]
    (row,) = [line for line in shown.splitlines() if child in line]
    assert "busy" in row
    assert "print('begun')" in row
    assert re.search(r"\s1\s+0\b", row), "one request queued, no cell run to its end"
    (row,) = [line for line in shown.splitlines() if "other" in line]
    assert "idle" in row
    kernel.execute("go.set()")
    kernel.wait(running, queued)


def test_the_table_marks_the_shell_that_asks(kernel: Wire, child: str) -> None:
    rows = kernel.execute("%subshell", subshell=child).shown[0].splitlines()
    assert [line for line in rows if line.startswith("*")] == [r for r in rows if child in r]


def test_the_table_while_main_is_busy(kernel: Wire, child: str) -> None:
    running = kernel.begin(LOOP)
    shown = kernel.execute("%subshell").shown[0]
    (row,) = [line for line in shown.splitlines() if "main" in line]
    assert "busy" in row
    kernel.execute("%subshell create quick\n# a comment\n%subshell rename quick slow")
    assert len(kernel.shells()) == 2
    kernel.execute("go.set()", subshell=child)
    kernel.wait(running)


def test_lines_among_other_code_wait_for_main(kernel: Wire, child: str) -> None:
    running = kernel.begin(LOOP)
    mixed = kernel.send_execute("mixed = 1\n%subshell create late")
    assert kernel.execute("'mixed' in globals()", subshell=child).result == "False"
    kernel.execute("go.set()", subshell=child)
    kernel.wait(running, mixed)
    assert len(kernel.shells()) == 2


def test_delete_several_and_by_the_start_of_an_id(kernel: Wire) -> None:
    one, two, three = (kernel.create() for _ in range(3))
    answer = kernel.execute(f"%subshell delete {one} {two[:13]}")
    assert answer.text() == "Deleted 2 subshells.\n"
    assert kernel.shells() == [three]


def test_delete_with_a_name_that_is_wrong_deletes_nothing(kernel: Wire) -> None:
    kernel.create("one")
    answer = kernel.execute("%subshell delete one nobody", stop_on_error=False)
    assert "There is no subshell 'nobody'. There are: one." in answer.text("stderr")
    assert kernel.execute("%subshell delete one one").text() == "Deleted 1 subshell.\n"
    assert kernel.shells() == []


def test_delete_all(kernel: Wire, child: str) -> None:
    kernel.create()
    running = kernel.begin("while True: pass", subshell=child)
    assert kernel.execute("%subshell delete --all").text() == "Deleted 2 subshells.\n"
    assert kernel.wait(running)[0].status == "error"
    assert kernel.shells() == []


def test_rename(kernel: Wire) -> None:
    made = kernel.create("old")
    assert kernel.execute("%subshell rename old new").text() == "Subshell old is now called new.\n"
    name = "import threading; threading.current_thread().name"
    assert kernel.execute(name, subshell=made).result == "'subshell-new'"
    assert "old" in said(kernel.execute("%subshell info old"))


def test_rename_by_id_and_to_a_name_that_is_taken(kernel: Wire) -> None:
    made = kernel.create()
    kernel.create("taken")
    assert "taken" in said(kernel.execute(f"%subshell rename {made} taken"))
    kernel.execute(f"%subshell rename {made} free")
    assert kernel.execute("%subshell info free").shown


def test_info(kernel: Wire) -> None:
    made = kernel.create("one")
    kernel.execute("1", subshell=made)
    text = kernel.execute("%subshell info one").shown[0]
    for expected in (made, "one", "idle", "subshell-one"):
        assert expected in text
    assert "MainThread" in kernel.execute("%subshell info").shown[0]
    assert made in kernel.execute("%subshell info", subshell=made).shown[0]


def test_this_one_is_main_for_lines_that_are_answered_beside_it(kernel: Wire, child: str) -> None:
    kernel.execute("'an input of main'")
    running = kernel.begin(LOOP)
    assert "MainThread" in kernel.execute("%subshell info").shown[0]
    assert "'an input of main'" in kernel.execute("%subshell history").text()
    (row,) = [r for r in kernel.execute("%subshell").shown[0].splitlines() if "main" in r]
    assert row.lstrip().startswith("*")
    kernel.control("interrupt_request")
    kernel.wait(running)


def test_interrupt_without_a_name_is_the_stop_button(kernel: Wire, child: str) -> None:
    running = kernel.begin("while True: pass")
    kernel.execute("%subshell interrupt")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def test_patches(kernel: Wire) -> None:
    text = kernel.execute("%subshell patches").shown[0]
    for expected in ("channels.shell", "control.handlers", "session.message-id"):
        assert expected in text


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("%subshell lsit", "Did you mean 'list'?"),
        ("%subshell remove", "Actions: list, create"),
        ("%subshell rename one", "rename NAME|ID NEW"),
        ("%subshell delete", "delete NAME|ID...|--all"),
        ("%subshell list extra", "Usage: %subshell list"),
        ("%subshell create a b", "create [NAME]"),
        ("%subshell create main", "'main'"),
        ("%subshell create 1st", "use a letter first"),
        ("%subshell list --all", "Usage: %subshell list"),
        ("%subshell list --nonsense", "Usage: %subshell list"),
        ("%subshell delete nobody", "There is no subshell 'nobody'"),
        ("%subshell delete main", "main"),
        ("%subshell info nobody", "There is no subshell 'nobody'"),
        ("%subshell interrupt nobody", "There is no subshell 'nobody'"),
        ("%%subshell a b\n1", "%subshell?"),
        ("%%subshell --nonsense\n1", "%subshell?"),
        ("%%subshell --job x\n1", "--job goes with --detach"),
        ("%%subshell --detach --job 1x\n1", "not a variable name"),
        ("%%subshell --detach --job for\n1", "not a variable name"),
        ("%%subshell main\n1", "'main'"),
        ("%%subshell 9lives\n1", "use a letter first"),
    ],
)
def test_wrong_arguments_get_a_hint(kernel: Wire, line: str, hint: str) -> None:
    answer = kernel.execute(line)
    assert answer.status == "error"
    assert hint in said(answer)
    assert kernel.shells() == []


@pytest.mark.parametrize("name", ["main", "nm;", "1"])
def test_mistakes_are_nothing_for_the_log_of_the_kernel(
    kernel: Wire, process: KernelProcess, name: str
) -> None:
    before = len(process.log.read_text())
    answer = kernel.execute(f"%%subshell {name}\n1")
    assert answer.content["ename"] == "SubshellNameError"
    assert process.log.read_text()[before:] == ""


def test_errors_name_the_subshells_there_are(kernel: Wire) -> None:
    kernel.create("one")
    kernel.create("two")
    assert "There are: one, two." in said(kernel.execute("%subshell info three"))


def test_main_can_be_neither_deleted_nor_renamed(kernel: Wire) -> None:
    kernel.create("one")
    assert "main is the parent subshell and cannot be deleted" in said(
        kernel.execute("%subshell delete main")
    )
    assert "main is the parent subshell and cannot be renamed" in said(
        kernel.execute("%subshell rename main x")
    )


# -- %%subshell ------------------------------------------------------------------------------------


def test_a_cell_in_a_named_child(kernel: Wire, child: str) -> None:
    answer = kernel.execute("%%subshell work\nx = 41\nprint('here')\nx + 1")
    assert (answer.status, answer.text(), answer.result) == ("ok", "here\n", "42")
    assert kernel.execute("x").result == "41"
    name = "%%subshell work\nthreading.current_thread().name"
    assert kernel.execute(name).result == "'subshell-work'"
    assert len(kernel.shells()) == 2


def test_a_cell_in_a_fresh_child(kernel: Wire, child: str) -> None:
    answer = kernel.execute("%%subshell\nprint(threading.current_thread().name)\n'fresh'")
    assert answer.text().startswith("subshell-")
    assert answer.result == "'fresh'"
    kernel.until(lambda: kernel.shells() == [child], what="end of the fresh child")


def test_a_cell_by_id(kernel: Wire, child: str) -> None:
    kernel.execute("mark = 1; mark", subshell=child)
    assert kernel.execute(f"%%subshell {child}\n_").result == "1"


def test_cells_while_main_is_busy(kernel: Wire, child: str) -> None:
    running = kernel.begin(LOOP)
    assert kernel.execute("%%subshell\n'fresh'").result == "'fresh'"
    assert kernel.execute("%%subshell work\n'named'").result == "'named'"
    kernel.execute("%%subshell work\ngo.set()")
    assert kernel.wait(running)[0].status == "ok"


def test_an_error_in_a_cell_and_its_line_number(kernel: Wire) -> None:
    answer = kernel.execute("%%subshell work\n\n1/0")
    assert answer.content["ename"] == "ZeroDivisionError"
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "".join(answer.content["traceback"]))
    assert "----> 3 1/0" in traceback


def test_await_and_magics_in_a_cell(kernel: Wire, child: str) -> None:
    answer = kernel.execute("%%subshell work\nawait asyncio.sleep(0)\n%pwd\n!echo shell\n'done'")
    assert (answer.status, answer.result) == ("ok", "'done'")
    assert "shell" in answer.text()


def test_input_in_a_cell(kernel: Wire) -> None:
    asking = kernel.send_execute("%%subshell work\ninput('? ')", allow_stdin=True)
    kernel.answer_input(kernel.wait_for_input()[0], "blue")
    assert kernel.wait(asking)[0].result == "'blue'"


def test_an_error_in_a_fresh_child_aborts_nothing_elsewhere(kernel: Wire, child: str) -> None:
    sent = [kernel.send_execute("%%subshell\n1/0"), kernel.send_execute("'main'")]
    failed, after = kernel.wait(*sent)
    assert failed.status == "error"
    assert after.result == "'main'"


def test_names_of_subshells_are_not_expanded_as_variables(kernel: Wire) -> None:
    kernel.execute("work = 'other'")
    kernel.execute("%%subshell work\n1")
    assert "work" in kernel.execute("%subshell").shown[0]


# -- detached cells --------------------------------------------------------------------------------


def test_a_detached_cell_prints_under_its_launching_cell(kernel: Wire, child: str) -> None:
    launch = kernel.send_execute(
        "%%subshell work --detach --job job\ngo.wait()\nprint('later')\n"
        "display({'text/plain': 'shown'}, raw=True)\n21 * 2"
    )
    (answer,) = kernel.wait(launch)
    assert answer.status == "ok"
    assert "Job 1 in work" in str(answer.result)
    other = kernel.execute("print('meanwhile')")
    assert kernel.execute("go.set(); job.result(30)").result == "42"
    kernel.until(lambda: answer.text() and answer.shown, what="output of the job")
    assert (answer.text(), answer.shown, other.text()) == ("later\n", ["shown"], "meanwhile\n")
    assert kernel.execute("job.status").result == "'done'"


# Whoever queues something on main waits until it has run.
LATE = """
import threading
from ipyext.shells.child import ChildShell
wake = ChildShell._wake
def late(child):
    wake(child)
    if threading.current_thread() is threading.main_thread(): done.wait(20)
ChildShell._wake = late
"""


def test_a_job_finds_its_variable(kernel: Wire, child: str) -> None:
    """However soon it runs."""
    look = "look = lambda name: (ended.append(name in globals()), done.set())\nended = []"
    assert kernel.execute(LATE + look).status == "ok"
    try:
        kernel.execute("%%subshell work --detach --job routed\nlook('routed')")
        kernel.execute("done.clear()")
        cell = "%%subshell work --detach --job called\nlook('called')"
        kernel.execute(f"get_ipython().run_cell({cell!r})")
        assert kernel.execute("ended").result == "[True, True]"
    finally:
        kernel.execute("ChildShell._wake = wake")


def test_a_failed_job(kernel: Wire, child: str) -> None:
    launch = kernel.execute("%%subshell work --detach --job job\nraise KeyError('lost')")
    answer = kernel.execute("job.result(30)")
    assert (answer.content["ename"], answer.content["evalue"]) == ("KeyError", "'lost'")
    kernel.until(lambda: bool(launch.of("error")), what="the traceback")
    assert launch.of("error")[0]["ename"] == "KeyError"
    assert kernel.execute("job.status").result == "'failed'"


def test_cancel_of_a_running_and_of_a_queued_job(kernel: Wire, child: str) -> None:
    kernel.execute("%%subshell work --detach --job first\ngo.set()\nwhile True: pass")
    kernel.execute("%%subshell work --detach --job second\nran = True")
    assert kernel.execute("go.wait(30); first.status, second.status").result == (
        "('running', 'queued')"
    )
    assert kernel.execute("second.cancel(), first.cancel()").result == "(True, True)"
    for job in ("first", "second"):
        assert kernel.execute(f"{job}.result(30)").content["ename"] == "JobCancelledError"
        assert kernel.execute(f"{job}.status, {job}.cancel()").result == "('cancelled', False)"
    assert kernel.execute("'ran' in globals()").result == "False"
    assert kernel.execute("%%subshell work\n'alive'").result == "'alive'"


def test_a_job_that_is_not_done(kernel: Wire, child: str) -> None:
    kernel.execute("%%subshell --detach --job job\ngo.wait()\n'end'")
    answer = kernel.execute("job.result(0.01)")
    assert answer.content["ename"] == "JobNotDoneError"
    assert "job.cancel()" in answer.content["evalue"]
    assert kernel.execute("go.set(); job.result(30)").result == "'end'"


def test_a_job_whose_subshell_is_deleted(kernel: Wire, child: str) -> None:
    kernel.execute("%%subshell work --detach --job job\ngo.set()\nwhile True: pass")
    kernel.execute("go.wait(30)")
    kernel.execute("%subshell delete work")
    assert kernel.execute("job.result(30)").content["ename"] == "SubshellDeletedError"


def test_the_table_of_jobs(kernel: Wire, child: str) -> None:
    kernel.execute("%%subshell work --detach --job job\n'first line'")
    kernel.execute("job.result(30)")
    (row,) = table(kernel.execute("%subshell jobs"))
    assert row[:3] == ["1", "work", "done"]
    assert row[-1] == "'first line'"


def test_detach_while_main_is_busy(kernel: Wire, child: str) -> None:
    running = kernel.begin(LOOP)
    kernel.execute("%%subshell work --detach --job job\ngo.set()\n'from job'")
    kernel.wait(running)
    assert kernel.execute("job.result(30)").result == "'from job'"


def test_detach_from_within_a_child(kernel: Wire, child: str) -> None:
    launch = kernel.execute("%%subshell work --detach --job job\nprint('x')\n5", subshell=child)
    assert kernel.execute("job.result(30)").result == "5"
    kernel.until(lambda: launch.text() == "x\n", what="output of the job")
