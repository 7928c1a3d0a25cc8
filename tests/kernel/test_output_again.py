"""What a closed browser missed: %subshell output, `ipyext.outputs`, output_request."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.wire import Answer, Wire

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
EVERYTHING = f"""
import base64, sys
from IPython.display import HTML, Image, clear_output, display
print("gone"); clear_output()
print("out", flush=True)
print("err", file=sys.stderr, flush=True)
print("out again")
picture = Image(data=base64.b64decode("{PNG}"))
display(picture, metadata={{"image/png": {{"width": 7}}}})
handle = display(HTML("<i>first</i>"), display_id="shown")
6 * 7
"""
CONTENT = ("stream", "display_data", "update_display_data", "execute_result", "error")


def put_out(answer: Answer) -> list[Any]:
    """What is to be seen under a cell, in order: texts by stream, bundles, tracebacks."""
    found: list[Any] = []
    for message in answer.iopub:
        content = message["content"]
        if message["msg_type"] == "stream":
            if found and found[-1][0] == content["name"]:
                found[-1] = (content["name"], found[-1][1] + content["text"])
            else:
                found.append((content["name"], content["text"]))
        elif message["msg_type"] == "clear_output":
            found.clear()
        elif message["msg_type"] == "error":
            found.append(("error", content["traceback"]))
        elif message["msg_type"] in CONTENT:
            found.append((message["msg_type"], content["data"], content["metadata"]))
    return found


def again(answer: Answer) -> tuple[str, list[Any]]:
    """The line above what is shown again, and what is."""
    assert answer.status == "ok", answer.content
    title, *rest = put_out(answer)
    assert title[0] == "display_data"
    return title[1]["text/plain"], rest


def rows(answer: Answer) -> list[str]:
    return answer.shown[0].splitlines()[2:]


def cells(kernel: Wire, **wanted: Any) -> list[dict[str, Any]]:
    reply = kernel.control("output_request", wanted)
    assert reply["status"] == "ok", reply
    return list(reply["cells"])


def said(answer: Answer) -> str:
    return answer.text("stderr") + str(answer.content.get("evalue", ""))


def as_shown(whole: list[Any]) -> list[Any]:
    """What is shown again of it: results as displays, tracebacks as text."""
    return [
        ("display_data", *rest)
        if kind == "execute_result"
        else ("stderr", "\n".join(rest[0]) + "\n")
        if kind == "error"
        else (kind, *rest)
        for kind, *rest in whole
    ]


# -- every kind, everywhere ------------------------------------------------------------------------


@pytest.fixture(params=["main", "child"])
def where(request: pytest.FixtureRequest, kernel: Wire, child: str) -> str | None:
    """The shell whose output is looked at: its subshell id."""
    return child if request.param == "child" else None


def name_of(where: str | None) -> str:
    return where or "main"


def test_every_kind_of_output(kernel: Wire, where: str | None) -> None:
    first = kernel.execute(EVERYTHING, subshell=where)
    kernel.execute("pass")
    title, found = again(
        kernel.execute(f"%subshell output {first.content['execution_count']} {name_of(where)}")
    )
    assert title.startswith(f"In [{first.content['execution_count']}] of {name_of(where)}, ended ")
    assert title.endswith(": import base64, sys")
    assert found == as_shown(put_out(first))
    assert [kind for kind, *_ in found] == [
        "stdout",
        "stderr",
        "stdout",
        "display_data",
        "display_data",
        "display_data",
    ]
    assert found[3][1]["image/png"].strip() == PNG
    assert found[3][2] == {"image/png": {"width": 7}}
    assert found[-1][1]["text/plain"] == "42"


def test_errors(kernel: Wire, where: str | None) -> None:
    failed = kernel.execute("print('so far')\n1 / 0", subshell=where)
    assert failed.status == "error"
    answer = kernel.execute(f"%subshell output --last {name_of(where)}")
    _, found = again(answer)
    assert answer.of("error") == []  # front ends would think that the cell that asks has failed
    assert found == as_shown(put_out(failed))
    assert "ZeroDivisionError" in found[-1][1]


def test_updates_from_other_cells(kernel: Wire, where: str | None) -> None:
    kernel.execute(EVERYTHING, subshell=where)
    kernel.execute("handle.update(HTML('<i>second</i>'))")
    answer = kernel.execute(f"%subshell output --last {name_of(where)}")
    _, found = again(answer)
    assert found[-2][1]["text/html"] == "<i>second</i>"
    assert [c["transient"] for c in answer.of("display_data")][2] == {"display_id": "shown"}


def test_a_cell_that_runs(kernel: Wire, where: str | None) -> None:
    """Everything so far, also what was not flushed; and it goes on."""
    kernel.execute("sys.stdout.flush_interval = 100")
    running = kernel.send_execute(
        "print('not flushed')\nmeet.wait()\ngo.wait()\nprint('went on')", subshell=where
    )
    kernel.execute("%%subshell\nmeet.wait()")
    title, found = again(kernel.execute(f"%subshell output --last {name_of(where)}"))
    assert f"of {name_of(where)}, running " in title
    assert found == [("stdout", "not flushed\n")]
    kernel.execute("%%subshell\ngo.set()")
    (answer,) = kernel.wait(running)
    assert answer.text() == "not flushed\nwent on\n"
    kernel.execute("sys.stdout.flush_interval = 0.2")
    title, found = again(kernel.execute(f"%subshell output --last {name_of(where)}"))
    assert ", ended " in title
    assert found == [("stdout", "not flushed\nwent on\n")]


def test_a_child_that_asks(kernel: Wire, child: str) -> None:
    kernel.execute("print('of main')")
    kernel.execute("print('of the child')", subshell=child)
    answer = kernel.execute("x = 1\n%subshell output --last main", subshell=child)
    assert again(answer)[1] == [("stdout", "of main\n")]
    kernel.pump()
    assert kernel.stray_output() == []


def test_while_main_is_busy(kernel: Wire, child: str) -> None:
    count = kernel.execute("print('finished')").content["execution_count"]
    running = kernel.begin("go.wait()")
    *_, finished, begun, _ = rows(kernel.execute("%subshell output"))
    assert "print('finished')" in finished
    assert "running" in begun
    for line, text in ((str(count), "finished\n"), ("--last", "begun\n")):
        assert again(kernel.execute(f"%subshell output {line}"))[1] == [("stdout", text)]
    assert cells(kernel)[-1]["ended"] is None
    kernel.execute("go.set()", subshell=child)
    kernel.wait(running)


def test_a_deleted_child(kernel: Wire) -> None:
    made = kernel.create("look")
    kernel.execute("print('before')", subshell=made)
    running = kernel.begin("while True: pass", subshell=made)
    kernel.delete(made)
    kernel.wait(running)
    assert len(rows(kernel.execute("%subshell output look"))) == 3
    assert again(kernel.execute("%subshell output 1 look"))[1] == [("stdout", "before\n")]
    for name in ("look", made, made[:8]):
        title, found = again(kernel.execute(f"%subshell output --last {name}"))
        assert title.startswith("In [2] of look, ended ")
        assert found[0] == ("stdout", "begun\n")
        assert "SubshellDeletedError" in found[1][1]
    kernel.execute("print('namesake')", subshell=kernel.create("look"))
    assert len(rows(kernel.execute("%subshell output look"))) == 4


def test_a_renamed_child(kernel: Wire) -> None:
    made = kernel.create("old")
    kernel.execute("print('x')", subshell=made)
    kernel.execute("%subshell rename old new")
    assert again(kernel.execute("%subshell output --last new"))[1] == [("stdout", "x\n")]


def test_subshell_cells(kernel: Wire) -> None:
    kernel.execute("%%subshell look\nprint('named')")
    kernel.execute("%%subshell\nprint('fresh')")
    title, found = again(kernel.execute("%subshell output --last look"))
    assert title.endswith(": %%subshell look")
    assert found == [("stdout", "named\n")]
    assert again(kernel.execute("%subshell output --last"))[1] == [("stdout", "fresh\n")]


@pytest.mark.parametrize("busy", [False, True])
def test_detached_cells(kernel: Wire, child: str, busy: bool) -> None:
    """They print under the cell that detached them, which has ended, and run in their own shell."""
    running = kernel.begin("go.wait()") if busy else kernel.send_execute("pass")
    kernel.execute("%%subshell job --detach\nprint('started')\nmeet.wait()\ngo.wait()\nprint('on')")
    kernel.execute("meet.wait()", subshell=child)
    title, found = again(kernel.execute("%subshell output --last job"))
    assert "job, running" in title
    assert found[-1] == ("stdout", "started\n")
    listed = rows(kernel.execute("%subshell output job"))[:-1]
    assert [row.rpartition("  ")[2] for row in listed] == ["%%subshell job --detach"]
    kernel.execute("done.set(); go.set()", subshell=child)
    kernel.wait(running)
    kernel.execute("import ipyext\nipyext.jobs()[-1].result(30)")
    title, found = again(kernel.execute("%subshell output --last job"))
    assert "job, ended" in title
    assert found[-1] == ("stdout", "started\non\n")


def test_threads_of_a_child_print_on(kernel: Wire, child: str) -> None:
    kernel.execute(
        "def late():\n    go.wait()\n    print('late', flush=True)\n    done.set()\n"
        "threading.Thread(target=late).start()\nprint('early')",
        subshell=child,
    )
    kernel.execute("go.set()\ndone.wait()")
    _, found = again(kernel.execute(f"%subshell output --last {child}"))
    assert found == [("stdout", "early\nlate\n")]


def test_the_cell_that_loads(stock: Wire) -> None:
    stock.execute("print('before')")
    answer = stock.execute("print('not yet', flush=True)\n%load_ext ipyext\nprint('kept')")
    count = answer.content["execution_count"]
    title, found = again(stock.execute(f"%subshell output {count}"))
    assert title.endswith(": print('not yet', flush=True)")
    assert found[-1] == ("stdout", "kept\n")


# -- what is listed --------------------------------------------------------------------------------


def test_the_list(kernel: Wire, child: str) -> None:
    shown = kernel.execute("\n# what it does\nprint('x' * 5000)")
    kernel.execute("nothing = 'is shown'")
    kernel.execute("%subshell list")
    kernel.execute("print('silent')", silent=True)
    running = kernel.begin("go.wait()", subshell=child)
    *_, main, look, note = rows(kernel.execute("%subshell output"))
    assert main.split()[:4] == ["main", "In", f"[{shown.content['execution_count']}]", "ended"]
    assert re.search(r"\d\d:\d\d:\d\d  [67]\.\d kB  # what it does$", main)
    assert look.startswith(child)
    assert "In [1]  running " in look
    assert look.endswith("print('begun')")
    assert note.startswith("%subshell output N [NAME] shows")
    kernel.execute("go.set()")
    kernel.wait(running)


def test_the_list_is_short_unless_all_is_asked_for(kernel: Wire) -> None:
    made = kernel.create("look")
    for number in range(25):
        kernel.execute(f"print({number})", subshell=made)
    *listed, note = rows(kernel.execute("%subshell output look"))
    assert len(listed) == 20
    assert listed[-1].endswith("print(24)")
    assert "5 older ones: %subshell output --all." in note
    assert len(rows(kernel.execute("%subshell output look --all"))) - 1 == 25


def test_since(kernel: Wire) -> None:
    answer = kernel.execute("print('old')")
    kernel.execute("import time; begin = time.time()")
    kernel.execute("print('new')")
    found = put_out(kernel.execute("%subshell output --since 1h main"))
    assert [text for kind, text, *_ in found if kind == "stdout"][-2:] == ["old\n", "new\n"]
    cell = "import ipyext; [c.outputs() for c in ipyext.outputs(since=begin)]"
    shown = kernel.execute(cell).result
    assert shown == "[[{'output_type': 'stream', 'name': 'stdout', 'text': 'new\\n'}]]"
    assert kernel.execute("%subshell output --since 0s").text().startswith("Nothing since ")
    count = answer.content["execution_count"]
    title, found = again(kernel.execute(f"%subshell output {count} --since 0s"))
    assert title.splitlines()[1].startswith("Nothing since ")
    assert found == []


def test_what_is_refused(kernel: Wire) -> None:
    kernel.execute("print(1)")
    for line, part in {
        "99": "Nothing is kept of cell 99 of main: it has not run since",
        "1 nobody": "There is no subshell 'nobody'",
        "nobody": "There is no subshell 'nobody'",
        "1 2 3": "Usage: %subshell output",
        "1 --last": "There is no subshell '1'",
        "--since soon": "--since 'soon' is no time. Use a number with s, m, h or d",
    }.items():
        answer = kernel.execute(f"%subshell output {line}")
        assert part in said(answer), line
        assert "Traceback" not in said(answer)
    kernel.create("quiet")
    assert "Nothing is kept of any cell of quiet" in said(
        kernel.execute("%subshell output --last quiet")
    )


def test_names_are_completed(kernel: Wire) -> None:
    made = kernel.create("look")
    kernel.execute("print(1)", subshell=made)
    kernel.delete(made)
    kernel.create("there")
    code = "%subshell output "
    reply = kernel.request("complete_request", {"code": code, "cursor_pos": len(code)}).content
    assert {"main", "look", "there", "--last", "--since"} <= set(reply["matches"])


# -- asking does not add up ------------------------------------------------------------------------


def test_what_is_shown_again_is_not_kept_again(kernel: Wire, where: str | None) -> None:
    count = kernel.execute("print('original')").content["execution_count"]
    before = cells(kernel)
    for _ in range(3):
        kernel.execute("%subshell output --last main", subshell=where)
        kernel.execute("%debugctl stacks", subshell=where)
    assert cells(kernel) == before
    mixed = f"print('own', end=' ')\n%subshell output {count}\nprint('own too')"
    assert "original\n" in kernel.execute(mixed, subshell=where).text()
    _, found = again(kernel.execute(f"%subshell output --last {name_of(where)}"))
    assert found == [("stdout", "own own too\n")]


def test_a_capture_gets_it(kernel: Wire, where: str | None) -> None:
    kernel.execute("print('original')")
    answer = kernel.execute("%%capture cap\n%subshell output --last main", subshell=where)
    assert put_out(answer) == []
    assert kernel.execute("cap.stdout").result == "'original\\n'"


# -- tools -----------------------------------------------------------------------------------------


def test_from_python(kernel: Wire, child: str) -> None:
    shown = kernel.execute("print('of main')")
    kernel.execute("1 / 0", subshell=child)
    kernel.execute("import ipyext, json")
    kernel.execute("c = ipyext.outputs('main')[-1]")
    main = "c.code, c.count, c.shells, c.running, c.lost, c.subshell_id"
    count = shown.content["execution_count"]
    assert kernel.execute(main).result == (
        f"(\"print('of main')\", {count}, ('main',), False, 0, None)"
    )
    assert kernel.execute("c.outputs()").result == (
        "[{'output_type': 'stream', 'name': 'stdout', 'text': 'of main\\n'}]"
    )
    error = f"[o] = ipyext.outputs({child!r})[-1].outputs()\no['output_type'], o['ename']"
    assert kernel.execute(error).result == "('error', 'ZeroDivisionError')"
    assert kernel.execute("c.began <= c.ended").result == "True"
    failed = kernel.execute("ipyext.outputs('nobody')", stop_on_error=False)
    assert failed.content["ename"] == "SubshellNotFoundError"
    kernel.execute("%unload_ext ipyext")
    assert kernel.execute("c.outputs()[0]['text']").result == "'of main\\n'"
    assert kernel.execute("ipyext.outputs()").content["ename"] == "NotLoadedError"
    kernel.execute("%load_ext ipyext")


def test_by_a_control_message(kernel: Wire, child: str) -> None:
    first = kernel.send_execute("print('of main')")
    kernel.wait(first)
    running = kernel.begin("go.wait()", subshell=child)
    main, look = cells(kernel)[-2:]
    assert main == {
        "msg_id": first,
        "subshell_id": None,
        "shells": ["main"],
        "execution_count": kernel.answers[first].content["execution_count"],
        "code": "print('of main')",
        "began": main["began"],
        "ended": main["ended"],
        "size": main["size"],
        "lost": 0,
    }
    assert (look["msg_id"], look["subshell_id"], look["ended"]) == (running, child, None)
    assert cells(kernel, subshell_id=child) == [look]
    assert cells(kernel, subshell_id="main")[-1] == main
    assert cells(kernel, since=time.time() + 60) == []
    text = {"output_type": "stream", "name": "stdout", "text": "begun\n"}
    assert cells(kernel, msg_id=running) == [{**look, "outputs": [text]}]
    assert cells(kernel, msg_id=running, since=time.time() + 60)[0]["outputs"] == []
    for wanted, error in (
        ({"msg_id": "unknown"}, "OutputNotFoundError"),
        ({"subshell_id": "unknown"}, "SubshellNotFoundError"),
        ({"since": "yesterday"}, "InvalidContentError"),
        ({"msg_id": 7}, "InvalidContentError"),
    ):
        reply = kernel.control("output_request", wanted)
        assert (reply["status"], reply["ename"]) == ("error", error)
        assert reply["evalue"]
    kernel.execute("go.set()")
    kernel.wait(running)


def test_control_does_not_wait_for_it(kernel: Wire, child: str) -> None:
    """It may have much to unpack and to pack: the service thread does that."""
    code = {"code": "print('begun')\ngo.wait()", "silent": False}
    occupied = kernel.send("execute_request", code, channel="control")
    kernel.wait_for_text(occupied, "begun\n")
    asked = kernel.send("output_request", channel="control")
    assert kernel.control("kernel_info_request")["status"] == "ok"
    assert kernel.answers[asked].reply is None
    kernel.execute("go.set()")
    kernel.wait(occupied, asked)
    assert kernel.answers[asked].content["cells"]


# -- how much --------------------------------------------------------------------------------------


def test_the_setting(kernel: Wire, child: str) -> None:
    kernel.execute("%config IPyExt.keep_output = 0.05")
    running = kernel.begin("go.wait()", subshell=child)
    for number in range(10):
        answer = kernel.execute(f"print('{number}' * 10_000)")
    first = answer.content["execution_count"] - 9
    *listed, note = rows(kernel.execute("%subshell output"))
    assert [row.split("print")[1][:4] for row in listed] == ["('be", "('7'", "('8'", "('9'"]
    assert "cells were dropped: IPyExt.keep_output is 0.05 MB." in note
    gone = said(kernel.execute(f"%subshell output {first}"))
    assert f"Nothing is kept of cell {first} of main" in gone
    assert "dropped, since IPyExt.keep_output is 0.05 MB" in gone
    assert kernel.control("output_request")["dropped"] > 5
    kernel.execute("go.set()")
    kernel.wait(running)
    kernel.execute("for number in range(100): print(number, 'x' * 1000, flush=True)")
    answer = kernel.execute("%subshell output --last")
    title, ((_, text),) = again(answer)
    assert "messages were dropped: IPyExt.keep_output is 0.05 MB." in title
    numbers = [int(line.split()[0]) for line in text.splitlines()]
    assert numbers == list(range(100 - len(numbers), 100))
    assert 20 < len(numbers) < 50
    kernel.execute("%config IPyExt.keep_output = 0")
    kernel.execute("print('not kept')")
    assert rows(kernel.execute("%subshell output")) == [
        "Nothing is kept: IPyExt.keep_output is 0 MB."
    ]
    assert "keep_output is 0, so no output is kept" in said(
        kernel.execute(f"%subshell output {first}")
    )


def test_memory_is_bounded(kernel: Wire) -> None:
    """Measured in the kernel; for small messages, in tests/unit/test_journal.py."""
    kernel.execute("%config IPyExt.keep_output = 0.2")
    kernel.execute("import tracemalloc\nfrom IPython.display import HTML, display")
    kernel.execute("display(HTML('x'))")
    kernel.execute("%subshell output")  # what is imported on first use
    kernel.execute("tracemalloc.start(); before = tracemalloc.get_traced_memory()[0]")
    kernel.execute("for _ in range(600): display(HTML('x' * 2000))")
    kernel.execute("%subshell output")
    used = "used = tracemalloc.get_traced_memory()[0] - before; tracemalloc.stop(); used"
    assert 150_000 < int(str(kernel.execute(used).result)) < 400_000


@pytest.mark.parametrize("value", ["-1", "'much'", "float('nan')", "float('inf')"])
def test_wrong_settings_are_refused(kernel: Wire, value: str) -> None:
    kernel.execute("print(1)")
    answer = kernel.execute(f"%config IPyExt.keep_output = {value}")
    assert "'keep_output' trait" in said(answer)
    assert "Nothing is kept" not in rows(kernel.execute("%subshell output"))[-1]


# -- the end ---------------------------------------------------------------------------------------


def test_the_journal_goes_with_the_extension(stock: Wire) -> None:
    count = (
        "import gc\nfor _ in range(3): collected = gc.collect()\n"
        "sum(type(thing).__name__ in ('Entry', 'Message') "
        "and type(thing).__module__.startswith('ipyext') for thing in gc.get_objects())"
    )
    stock.execute("%load_ext ipyext")
    stock.execute("for number in range(10): print(number, flush=True)")
    running = stock.execute("%%subshell --detach\nprint('detached')")
    assert int(str(stock.execute(count).result)) > 10
    assert running.status == "ok"
    stock.execute("%unload_ext ipyext")
    assert stock.execute(count).result == "0"
    assert stock.execute("print('stock')").text() == "stock\n"
    assert "output_request" not in str(
        stock.execute("list(get_ipython().kernel.control_handlers)").result
    )
    stock.execute("%load_ext ipyext")
    stock.execute("print('kept')")
    listed = rows(stock.execute("%subshell output"))[:-1]
    assert len(listed) <= 2  # the loading cell may have a notice
    assert listed[-1].endswith("print('kept')")
