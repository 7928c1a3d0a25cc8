"""G2: captures, timers and scripts in several shells at once; each gets its own and all of it.

Main and two children meet at a barrier (`meet`), so that what a magic swaps for its duration is
swapped in all three at the same moment. See also test_g2_right_place.py.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import LANE
from tests.wire import Answer, KernelProcess, Wire

Shells = dict[str, str | None]


@pytest.fixture(autouse=True)
def nothing_astray(kernel: Wire) -> Iterator[None]:
    yield
    kernel.pump()
    assert kernel.stray_output() == []


@pytest.fixture
def shells(kernel: Wire, child: str) -> Shells:
    """Main and two children, who can meet."""
    cell = (
        "import contextlib, io, os, subprocess\nfrom IPython.utils.capture import capture_output\n"
        "meet = threading.Barrier(3, timeout=30)"
    )
    assert kernel.execute(cell).status == "ok"
    return {"main": None, "one": child, "two": kernel.create()}


def everywhere(kernel: Wire, shells: Shells, cell: str) -> dict[str, Answer]:
    """Run a cell in all shells at once; WHO in it becomes the shell's name."""
    sent = [
        kernel.send_execute(cell.replace("WHO", who), subshell=where)
        for who, where in shells.items()
    ]
    answers = dict(zip(shells, kernel.wait(*sent), strict=True))
    for answer in answers.values():
        assert answer.status == "ok", answer.content
    return answers


def value(kernel: Wire, expression: str) -> Any:
    """What an expression of literals is in main."""
    return ast.literal_eval(str(kernel.execute(expression).result))


def untouched(kernel: Wire, shells: Shells) -> None:
    """Afterwards every shell prints, shows and results as ever."""
    for who, answer in everywhere(kernel, shells, "meet.wait()\nprint('WHO')\n'WHO'").items():
        assert (answer.text(), answer.text("stderr"), answer.result) == (f"{who}\n", "", f"'{who}'")


PARTS = (
    "print('WHO')\nmeet.wait()\nprint('error of WHO', file=sys.stderr)\nmeet.wait()\n"
    "display({'text/plain': 'shown by WHO'}, raw=True)\nmeet.wait()\n"
)


@pytest.mark.fault
def test_capture_magic(kernel: Wire, shells: Shells) -> None:
    cell = f"%%capture caught_WHO\nmeet.wait()\n{PARTS}'result of WHO'"
    for answer in everywhere(kernel, shells, cell).values():
        assert (answer.text(), answer.text("stderr"), answer.shown, answer.result) == (
            ("", "", [], None)
        )
    for who in shells:
        caught = f"caught_{who}"
        found = value(
            kernel,
            f"{caught}.stdout, {caught}.stderr, [o.data['text/plain'] for o in {caught}.outputs]",
        )
        shown = [f"shown by {who}", f"'result of {who}'"]
        assert found == (f"{who}\n", f"error of {who}\n", shown)
    untouched(kernel, shells)


def test_capture_output(kernel: Wire, shells: Shells) -> None:
    inner = PARTS.replace("\n", "\n    ")
    cell = f"print('before WHO')\nwith capture_output() as caught_WHO:\n    {inner}\nprint('after')"
    for who, answer in everywhere(kernel, shells, cell).items():
        assert (answer.text(), answer.text("stderr"), answer.shown) == (
            (f"before {who}\nafter\n", "", [])
        )
        found = value(kernel, f"caught_{who}.stdout, caught_{who}.stderr")
        assert found == (f"{who}\n", f"error of {who}\n")
    untouched(kernel, shells)


@pytest.mark.parametrize("kept", ["stdout", "stderr", "display"])
def test_what_a_capture_does_not_take_is_shown(kernel: Wire, shells: Shells, kept: str) -> None:
    cell = f"%%capture --no-{kept} caught_WHO\nmeet.wait()\n{PARTS}"
    for who, answer in everywhere(kernel, shells, cell).items():
        everything = {
            "stdout": (answer.text(), f"{who}\n"),
            "stderr": (answer.text("stderr"), f"error of {who}\n"),
            "display": (answer.shown, [f"shown by {who}"]),
        }
        for what, (found, whole) in everything.items():
            assert found == (whole if what == kept else type(whole)())


def test_nested_captures(kernel: Wire, shells: Shells) -> None:
    cell = (
        "%%capture outer_WHO\nprint('outer WHO')\nmeet.wait()\n"
        "with capture_output() as inner_WHO:\n    print('inner WHO')\n    meet.wait()\n"
        "    display({'text/plain': 'WHO'}, raw=True)\nmeet.wait()\nprint('outer again')"
    )
    for answer in everywhere(kernel, shells, cell).values():
        assert (answer.text(), answer.shown) == ("", [])
    for who in shells:
        found = value(
            kernel,
            f"outer_{who}.stdout, inner_{who}.stdout, len(outer_{who}.outputs), "
            f"len(inner_{who}.outputs)",
        )
        assert found == (f"outer {who}\nouter again\n", f"inner {who}\n", 0, 1)
    untouched(kernel, shells)


@pytest.mark.parametrize("where", ["main", "one"])
def test_a_capture_around_a_cell_in_another_subshell(
    kernel: Wire, shells: Shells, where: str
) -> None:
    cell = (
        f"%%capture caught\n%%subshell LINE\n{PARTS.replace('meet.wait()', '')}"
        "print(threading.current_thread().name)\n'result'"
    )
    outside = kernel.create("outside")
    for line in ("outside", ""):  # the second time, in a fresh one
        answer = kernel.execute(cell.replace("LINE", line), subshell=shells[where])
        assert answer.status == "ok"
        assert (answer.text(), answer.text("stderr"), answer.shown, answer.result) == (
            ("", "", [], None)
        )
        found = value(
            kernel,
            "caught.stdout, caught.stderr, [o.data['text/plain'] for o in caught.outputs]",
        )
        assert found[0].startswith("WHO\nsubshell-outside\n" if line else "WHO\n")
        assert found[1:] == ("error of WHO\n", ["shown by WHO", "'result'"])
    answer = kernel.execute("print('not captured')\ndisplay(1)\n2", subshell=outside)
    assert (answer.text(), answer.shown, answer.result) == ("not captured\n", ["1"], "2")
    untouched(kernel, shells)


def test_a_capture_of_one_stream_within_another_capture(kernel: Wire, shells: Shells) -> None:
    cell = (
        "with capture_output() as outer_WHO:\n    meet.wait()\n"
        "    with capture_output(stdout=False, display=False) as inner_WHO:\n"
        "        print('WHO')\n        print('error of WHO', file=sys.stderr)\n"
        "        display({'text/plain': 'WHO'}, raw=True)\n        meet.wait()"
    )
    for answer in everywhere(kernel, shells, cell).values():
        assert (answer.text(), answer.text("stderr"), answer.shown) == ("", "", [])
    for who in shells:
        outer = value(kernel, f"outer_{who}.stdout, outer_{who}.stderr, len(outer_{who}.outputs)")
        assert outer == (f"{who}\n", "", 1)
        assert value(kernel, f"inner_{who}.stderr") == f"error of {who}\n"


def test_threads_and_tasks_of_a_capturing_cell(kernel: Wire, shells: Shells) -> None:
    cell = (
        "async def task_WHO():\n    await asyncio.sleep(0)\n    print('task of WHO')\n"
        "with capture_output() as caught_WHO:\n    meet.wait()\n"
        "    await asyncio.gather(task_WHO(), task_WHO())\n"
        "    thread_WHO = threading.Thread(target=print, args=('thread of WHO',))\n"
        "    thread_WHO.start()\n    thread_WHO.join()\n    meet.wait()"
    )
    for answer in everywhere(kernel, shells, cell).values():
        assert answer.text() == ""
    for who in shells:
        said = f"task of {who}\n" * 2 + f"thread of {who}\n"
        assert value(kernel, f"caught_{who}.stdout") == said


@pytest.mark.parametrize("who", ["main", "one"])
@pytest.mark.parametrize("how", ["raise", "interrupt"])
def test_a_capture_is_undone(kernel: Wire, shells: Shells, who: str, how: str) -> None:
    body = "1/0" if how == "raise" else "done.set()\n    while True: pass"
    cell = (
        "with capture_output() as outer, capture_output() as inner:\n"
        f"    print('in')\n    {body}\n    print('never')"
    )
    msg_id = kernel.send_execute(cell, subshell=shells[who])
    if how == "interrupt":
        assert kernel.execute("done.wait(30)", subshell=shells["two"]).result == "True"
        where = {} if who == "main" else {"subshell_id": shells[who]}
        kernel.control("interrupt_request", where)
    (answer,) = kernel.wait(msg_id)
    assert answer.content["ename"] == (
        "ZeroDivisionError" if how == "raise" else "KeyboardInterrupt"
    )
    assert answer.text() == ""
    assert value(kernel, "inner.stdout") == "in\n"
    untouched(kernel, shells)


def test_the_capture_of_a_deleted_child(kernel: Wire, shells: Shells) -> None:
    stuck = (
        "%%capture caught\nprint('in')\ndone.set()\n"
        "while not go.is_set():\n    try:\n        go.wait(30)\n"
        "    except KeyboardInterrupt:\n        pass\nended = True"
    )
    msg_id = kernel.send_execute(stuck, subshell=shells["one"])
    assert kernel.execute("done.wait(30)", subshell=shells["two"]).result == "True"
    kernel.delete(str(shells["one"]))
    assert kernel.wait(msg_id)[0].content["ename"] == "SubshellDeletedError"
    left = {"main": None, "two": shells["two"]}
    kernel.execute("meet = threading.Barrier(2, timeout=30)")
    untouched(kernel, left)
    found = kernel.execute("%%capture mine\nprint('of main')")
    assert (found.text(), value(kernel, "mine.stdout")) == ("", "of main\n")
    kernel.execute("zombie = [t for t in threading.enumerate() if 'subshell' in t.name]\ngo.set()")
    untouched(kernel, left)


def test_a_capture_that_goes_on_after_its_cell(kernel: Wire, shells: Shells) -> None:
    one = shells["one"]
    kernel.execute("with_one = capture_output()\ncaught = with_one.__enter__()", subshell=one)
    assert kernel.execute("print('captured')", subshell=one).text() == ""
    assert kernel.execute("print('of main')").text() == "of main\n"
    kernel.execute("with_one.__exit__(None, None, None)", subshell=one)
    assert value(kernel, "caught.stdout") == "captured\n"
    untouched(kernel, shells)


@pytest.mark.parametrize("who", ["main", "one"])
def test_an_error_within_the_capture_magic(kernel: Wire, shells: Shells, who: str) -> None:
    kernel.execute("%%capture caught\nprint('in')\n1/0", subshell=shells[who])
    kernel.execute("pass", subshell=shells[who])  # IPython 9 reports the error, 8 does not
    assert value(kernel, "caught.stdout").startswith("in\n")
    untouched(kernel, shells)


# -- timers, profiles, scripts ---------------------------------------------------------------------


def test_time_magic(kernel: Wire, shells: Shells) -> None:
    cell = "%%time\nmeet.wait()\nprint('WHO')\nmeet.wait()\n'result of WHO'"
    for who, answer in everywhere(kernel, shells, cell).items():
        first, timing = answer.text().split("\n", 1)
        assert first == who
        assert timing.count("Wall time") == 1
        assert answer.result == f"'result of {who}'"


@pytest.mark.parametrize("kind", ["line", "cell"])
def test_timeit_magic(kernel: Wire, shells: Shells, kind: str) -> None:
    options = "-n 3 -r 2 -o"
    line = f"calls_WHO = []\ntiming_WHO = %timeit {options} calls_WHO.append(meet.wait())"
    cell = f"%%timeit {options} pass\nmeet.wait()"
    answers = everywhere(kernel, shells, line if kind == "line" else cell)
    for who, answer in answers.items():
        assert answer.text().count("per loop") == 1, answer.text()
        if kind == "line":
            found = value(kernel, f"timing_{who}.loops, timing_{who}.repeat, len(calls_{who})")
            assert found == (3, 2, 6)
    assert value(kernel, "__import__('gc').isenabled()") is True


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="one profiler per process since 3.12")
def test_prun_magic(kernel: Wire, shells: Shells) -> None:
    cell = (
        "def work_WHO(): meet.wait()\n"
        "stats_WHO = %prun -q -r work_WHO()\nmeet.wait()\n"
        "sorted(name for _, _, name in stats_WHO.stats if name.startswith('work_'))"
    )
    for who, answer in everywhere(kernel, shells, cell).items():
        assert answer.result == f"['work_{who}']"


def test_run_magic(kernel: Wire, shells: Shells) -> None:
    cell = (
        "%%writefile script_WHO.py\nimport sys, meeting\nmeeting.meet.wait()\n"
        "print('script', sys.argv[0], __name__)\nfrom_WHO = meeting.meet.wait() >= 0\n"
        "print('error', file=sys.stderr)"
    )
    everywhere(kernel, shells, cell)
    kernel.execute(
        "import types\nsys.modules['meeting'] = types.SimpleNamespace(meet=meet)\nargv = sys.argv"
    )
    answers = everywhere(kernel, shells, "%run script_WHO.py\nprint('then')\nfrom_WHO")
    for answer in answers.values():
        said, then = answer.text().splitlines()
        assert said.startswith("script script_")
        assert said.endswith(".py __main__")
        assert then == "then"
        assert (answer.text("stderr"), answer.result) == ("error\n", "True")
    kernel.execute("del sys.modules['meeting']")
    untouched(kernel, shells)


@pytest.mark.parametrize("magic", ["bash", "sh", "script bash"])
def test_scripts(kernel: Wire, shells: Shells, magic: str) -> None:
    cell = f"%%{magic}\necho out of WHO\necho error of WHO >&2"
    for who, answer in everywhere(kernel, shells, cell).items():
        assert answer.text() == f"out of {who}\n"
        assert answer.text("stderr") == f"error of {who}\n"


def test_scripts_wait_for_each_other(kernel: Wire, shells: Shells) -> None:
    # Each opens its own fifo for writing and the next one's for reading: none ends alone.
    kernel.execute("for name in ('main', 'one', 'two'): os.mkfifo('fifo_' + name)")
    following = {"main": "one", "one": "two", "two": "main"}
    sent = [
        kernel.send_execute(
            f"%%bash\necho {who} > fifo_{who} &\ncat fifo_{following[who]}\nwait",
            subshell=where,
        )
        for who, where in shells.items()
    ]
    for who, answer in zip(shells, kernel.wait(*sent), strict=True):
        assert answer.text() == f"{following[who]}\n"
    kernel.execute("for name in ('main', 'one', 'two'): os.remove('fifo_' + name)")


def test_scripts_into_variables(kernel: Wire, shells: Shells) -> None:
    cell = "%%sh --out said_WHO --err failed_WHO\necho out of WHO\necho error of WHO >&2"
    for answer in everywhere(kernel, shells, cell).values():
        assert (answer.text(), answer.text("stderr")) == ("", "")
    for who in shells:
        found = value(kernel, f"said_{who}, failed_{who}")
        assert found == (f"out of {who}\n", f"error of {who}\n")


def test_scripts_that_fail(kernel: Wire, shells: Shells) -> None:
    sent = [
        kernel.send_execute(f"%%bash\necho {who}\nexit {code}", subshell=where)
        for code, (who, where) in enumerate(shells.items(), 3)
    ]
    for code, (who, answer) in enumerate(zip(shells, kernel.wait(*sent), strict=True), 3):
        assert answer.content["ename"] == "CalledProcessError"
        assert f"exit status {code}" in answer.content["evalue"]
        assert answer.text() == f"{who}\n"


def test_captured_commands(kernel: Wire, shells: Shells) -> None:
    cell = "%%capture caught_WHO\nmeet.wait()\n!echo shell of WHO\nmeet.wait()"
    for answer in everywhere(kernel, shells, cell).values():
        assert answer.text() == ""
    for who in shells:
        caught = value(kernel, f"caught_{who}.stdout")
        assert caught.replace("\r", "") == f"shell of {who}\n"


def test_os_system_in_a_capture_of_a_child(kernel: Wire, shells: Shells) -> None:
    cell = "%%capture caught\nos.system('echo by a command')"
    assert kernel.execute(cell, subshell=shells["one"]).text() == ""
    assert value(kernel, "caught.stdout") == "by a command\n"


# -- what is one for the whole process -------------------------------------------------------------


def test_redirect_stdout_loses_nothing(kernel: Wire, shells: Shells) -> None:
    """It redirects the whole process, in Python; text goes to either place, and all of it."""
    redirecting = kernel.send_execute(
        "box = io.StringIO()\nwith contextlib.redirect_stdout(box):\n    print('main in')\n"
        "    done.set()\n    go.wait(30)\n    print('main in again')\nprint('main out')"
    )
    assert kernel.execute("done.wait(30)", subshell=shells["one"]).result == "True"
    answers = [kernel.execute(f"print('child {n}')\n{n}", subshell=shells["one"]) for n in range(5)]
    assert [answer.result for answer in answers] == [str(n) for n in range(5)]
    kernel.execute("go.set()", subshell=shells["one"])
    (main,) = kernel.wait(redirecting)
    text = value(kernel, "box.getvalue()") + "".join(answer.text() for answer in (*answers, main))
    said = ["main in", "main in again", "main out", *(f"child {n}" for n in range(5))]
    assert sorted(text.splitlines()) == sorted(said)
    untouched(kernel, shells)


def test_a_capture_begun_while_another_shell_redirects(kernel: Wire, shells: Shells) -> None:
    kernel.execute("entered, leave = threading.Event(), threading.Event()")
    redirecting = kernel.send_execute(
        "box = io.StringIO()\nwith contextlib.redirect_stdout(box):\n    done.set()\n"
        "    go.wait(30)\n    print('main in')\nprint('main out')"
    )
    assert kernel.execute("done.wait(30)", subshell=shells["two"]).result == "True"
    capturing = kernel.send_execute(
        "with capture_output() as caught:\n    entered.set()\n    print('child 1')\n"
        "    leave.wait(30)\n    print('child 2')\nprint('child out')",
        subshell=shells["one"],
    )
    kernel.execute("entered.wait(30)\ngo.set()", subshell=shells["two"])
    (main,) = kernel.wait(redirecting)
    kernel.execute("leave.set()", subshell=shells["two"])
    (answer,) = kernel.wait(capturing)
    assert (main.text(), answer.text()) == ("main out\n", "child out\n")
    assert value(kernel, "box.getvalue(), caught.stdout") == ("main in\n", "child 1\nchild 2\n")
    untouched(kernel, shells)


@pytest.mark.fault
def test_commands_by_os_system(kernel: Wire, shells: Shells) -> None:
    command = "echo WHO; echo error of WHO >&2; exit 3"
    cell = f"meet.wait()\nstatus_WHO = os.system('{command}')\nmeet.wait()"
    answers = everywhere(kernel, shells, cell)
    for who in ("one", "two"):
        assert sorted(answers[who].text().splitlines()) == sorted([who, f"error of {who}"])
    assert "main" not in answers["one"].text() + answers["two"].text()
    assert value(kernel, "status_main, status_one, status_two") == (768, 768, 768)


@pytest.mark.parametrize(
    "write",
    [
        "os.write(1, b'by descriptor\\n')",
        "subprocess.run(['echo', 'by descriptor'])",
        "threading.Thread(target=os.write, args=(1, b'by descriptor\\n')).start()",
    ],
    ids=["write", "subprocess", "thread"],
)
def test_writes_to_the_descriptors_go_to_mains_current_cell(
    process: KernelProcess, kernel: Wire, shells: Shells, write: str
) -> None:
    running = kernel.begin("go.wait(30)")
    answer = kernel.execute(f"written = {write}", subshell=shells["one"])
    if LANE > 5:
        kernel.wait_for_text(running, "by descriptor\n")
    kernel.execute("go.set()", subshell=shells["two"])
    assert answer.text() == ""
    # ipykernel 5 leaves the descriptors alone: such output is in the terminal it was started in.
    seen = "begun\nby descriptor\n" if LANE > 5 else "begun\n"
    assert kernel.wait(running)[0].text() == seen
    if LANE == 5:
        assert "by descriptor" in process.log.read_text()


@pytest.mark.skipif(LANE == 5, reason="ipykernel 5 leaves the descriptors alone")
@pytest.mark.parametrize("who", ["main", "one"])
def test_much_output_by_descriptor(kernel: Wire, shells: Shells, who: str) -> None:
    """More than a pipe holds: whoever writes it waits for the thread that reads it."""
    code = "data = b'x' * 5_000_000\nwhile data:\n    data = data[os.write(1, data):]"
    msg_id = kernel.send_execute(code, subshell=shells[who])
    kernel.until(lambda: len(kernel.answers[msg_id].text()) >= 5_000_000)
    assert kernel.wait(msg_id)[0].text() == "x" * 5_000_000
