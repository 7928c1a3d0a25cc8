"""G2: nothing that one shell publishes ever shows up under another's cell.

The cells of two shells meet at a barrier (`meet`), so that they do the same thing at the same
moment; events of the shared namespace order the rest. See also test_g2_state.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import LANE
from tests.wire import Answer, Wire

SHELLS = ("main", "child")


@pytest.fixture(autouse=True)
def nothing_astray(kernel: Wire) -> Iterator[None]:
    yield
    kernel.pump()
    assert kernel.stray_output() == []


def both(kernel: Wire, child: str, cell: str, **content: object) -> list[Answer]:
    """Run a cell in main and in the child at once; WHO in it becomes the shell's name."""
    sent = [
        kernel.send_execute(cell.replace("WHO", who), subshell=where, **content)
        for who, where in zip(SHELLS, (None, child), strict=True)
    ]
    return kernel.wait(*sent)


def test_print(kernel: Wire, child: str) -> None:
    cell = "for n_WHO in range(30):\n    meet.wait()\n    print('WHO', n_WHO)"
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text() == "".join(f"{who} {n}\n" for n in range(30))


def test_print_in_pieces(kernel: Wire, child: str) -> None:
    cell = (
        "for n_WHO in range(30):\n    print('WHO', end=' ')\n    meet.wait()\n"
        "    print(n_WHO, flush=n_WHO % 3 == 0)"
    )
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text() == "".join(f"{who} {n}\n" for n in range(30))


def test_standard_error(kernel: Wire, child: str) -> None:
    cell = (
        "for n_WHO in range(30):\n    meet.wait()\n"
        "    print('WHO', n_WHO, file=sys.stderr)\n    print('out WHO')"
    )
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text("stderr") == "".join(f"{who} {n}\n" for n in range(30))
        assert answer.text("stdout") == f"out {who}\n" * 30


def test_a_stream_kept_from_another_cell(kernel: Wire, child: str) -> None:
    kernel.execute("kept = sys.stdout; write = sys.stdout.write")
    cell = (
        "for n_WHO in range(10):\n    meet.wait()\n    kept.write('WHO ')\n    _ = write('WHO\\n')"
    )
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text() == f"{who} {who}\n" * 10


def test_logging(kernel: Wire, child: str) -> None:
    kernel.execute("logging.basicConfig(stream=sys.stderr, format='%(message)s', force=True)")
    cell = "for n_WHO in range(10):\n    meet.wait()\n    logging.warning('WHO %d', n_WHO)"
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text("stderr") == "".join(f"{who} {n}\n" for n in range(10))


def test_warnings(kernel: Wire, child: str) -> None:
    cell = "import warnings\nmeet.wait()\nwarnings.warn('from WHO')"
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text("stderr").count(f"from {who}") >= 1
        assert f"from {'main' if who == 'child' else 'child'}" not in answer.text("stderr")


def test_shell_commands(kernel: Wire, child: str) -> None:
    cell = "meet.wait()\n!echo WHO says\nmeet.wait()\nfound_WHO = !echo WHO again\nfound_WHO[0]"
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text().replace("\r", "") == f"{who} says\n"
        assert answer.result == f"'{who} again'"


def test_display(kernel: Wire, child: str) -> None:
    cell = (
        "for n_WHO in range(20):\n    meet.wait()\n"
        "    display({'text/plain': f'WHO {n_WHO}'}, raw=True)"
    )
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.shown == [f"{who} {n}" for n in range(20)]


def test_display_imported_elsewhere(kernel: Wire, child: str) -> None:
    kernel.execute("from IPython.display import HTML, display as shown")
    cell = "meet.wait()\nshown(HTML('<b>WHO</b>'))"
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert [c["data"]["text/html"] for c in answer.of("display_data")] == [f"<b>{who}</b>"]


def test_prints_and_displays_stay_in_order(kernel: Wire, child: str) -> None:
    cell = (
        "for n_WHO in range(20):\n    meet.wait()\n    print('before', n_WHO)\n"
        "    display({'text/plain': str(n_WHO)}, raw=True)"
    )
    for answer in both(kernel, child, cell):
        contents = [m["content"] for m in answer.iopub]
        seen = [
            c["text"] if "text" in c else c["data"]["text/plain"]
            for c in contents
            if "text" in c or "data" in c
        ]
        assert "".join(seen) == "".join(f"before {n}\n{n}" for n in range(20))


def test_update_display(kernel: Wire, child: str) -> None:
    cell = (
        "handle_WHO = display({'text/plain': 'WHO first'}, raw=True, display_id='WHO')\n"
        "meet.wait()\nhandle_WHO.update({'text/plain': 'WHO then'}, raw=True)"
    )
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        (update,) = answer.of("update_display_data")
        assert update["data"]["text/plain"] == f"{who} then"
        assert update["transient"]["display_id"] == who
        assert answer.shown == [f"{who} first"]


def test_clear_output(kernel: Wire, child: str) -> None:
    running = kernel.begin("go.wait()")
    answer = kernel.execute(
        "from IPython.display import clear_output\nclear_output(wait=True)", subshell=child
    )
    kernel.execute("go.set()", subshell=child)
    assert answer.of("clear_output") == [{"wait": True}]
    assert kernel.wait(running)[0].of("clear_output") == []


@pytest.mark.fault
def test_two_results_at_the_same_moment(kernel: Wire, child: str) -> None:
    kernel.execute(
        "class Slow:\n"
        "    def __init__(self, who): self.who = who\n"
        "    def __repr__(self): meet.wait(); return self.who"
    )
    for who, answer in zip(SHELLS, both(kernel, child, "Slow('WHO')"), strict=True):
        assert answer.result == who


def test_many_results_at_once(kernel: Wire, child: str) -> None:
    sent = [
        (who, n, kernel.send_execute(f"'{who} {n}'", subshell=where))
        for n in range(30)
        for who, where in zip(SHELLS, (None, child), strict=True)
    ]
    kernel.wait(*(msg_id for _, _, msg_id in sent))
    for who, n, msg_id in sent:
        assert kernel.answers[msg_id].result == f"'{who} {n}'"


@pytest.mark.fault
def test_two_exceptions_at_the_same_moment(kernel: Wire, child: str) -> None:
    kernel.execute(
        "class Slow(Exception):\n"
        "    def _render_traceback_(self): meet.wait(); return [f'traceback of {self}']"
    )
    for who, answer in zip(SHELLS, both(kernel, child, "raise Slow('WHO')"), strict=True):
        assert answer.content["ename"] == "Slow"
        assert answer.content["evalue"] == who
        assert answer.content["traceback"] == [f"traceback of {who}"]
        (shown,) = answer.of("error")
        assert (shown["evalue"], shown["traceback"]) == (who, [f"traceback of {who}"])


def test_tracebacks_name_their_own_cell(kernel: Wire, child: str) -> None:
    for who, answer in zip(SHELLS, both(kernel, child, "meet.wait()\nWHO_is_no_name"), strict=True):
        assert answer.content["ename"] == "NameError"
        assert f"{who}_is_no_name" in "".join(answer.content["traceback"])
        assert [e["evalue"] for e in answer.of("error")] == [answer.content["evalue"]]


def test_syntax_errors(kernel: Wire, child: str) -> None:
    running = kernel.begin("go.wait()")
    answer = kernel.execute("def def", subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert answer.content["ename"] == "SyntaxError"
    assert len(answer.of("error")) == 1
    assert kernel.wait(running)[0].status == "ok"


@pytest.mark.fault
def test_payloads(kernel: Wire, child: str) -> None:
    cell = "meet.wait()\nget_ipython().set_next_input('next of WHO')\nmeet.wait()"
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        payload = answer.content["payload"]
        assert [(p["source"], p["text"]) for p in payload] == [("set_next_input", f"next of {who}")]


def test_a_payload_is_sent_once(kernel: Wire, child: str) -> None:
    kernel.execute("get_ipython().set_next_input('once')", subshell=child)
    assert kernel.execute("1", subshell=child).content["payload"] == []
    assert kernel.execute("1").content["payload"] == []


def test_page_of_help(kernel: Wire, child: str) -> None:
    running = kernel.begin("go.wait()")
    answer = kernel.execute("len?", subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert [p["source"] for p in answer.content["payload"]] == ["page"]
    assert kernel.wait(running)[0].content["payload"] == []


@pytest.mark.fault
def test_captures_at_the_same_moment(kernel: Wire, child: str) -> None:
    cell = "%%capture caught_WHO\nmeet.wait()\nprint('WHO')\nmeet.wait()\n'result of WHO'"
    for answer in both(kernel, child, cell):
        assert (answer.status, answer.text(), answer.result) == ("ok", "", None)
    for who in SHELLS:
        found = kernel.execute(f"caught_{who}.stdout, len(caught_{who}.outputs)").result
        assert found == f"('{who}\\n', 1)"


def test_a_capture_in_a_child_leaves_main_alone(kernel: Wire, child: str) -> None:
    capturing = kernel.send_execute(
        "%%capture caught\nmeet.wait()\nprint('in')\nmeet.wait()", subshell=child
    )
    answer = kernel.execute("meet.wait()\nprint('out')\nmeet.wait()\n'result'")
    assert (answer.text(), answer.result) == ("out\n", "'result'")
    kernel.wait(capturing)
    assert kernel.execute("caught.stdout").result == "'in\\n'"


@pytest.mark.fault
def test_a_capture_in_main_leaves_a_child_alone(kernel: Wire, child: str) -> None:
    capturing = kernel.send_execute("%%capture caught\nmeet.wait()\nprint('in')\nmeet.wait()")
    answer = kernel.execute("meet.wait()\nprint('out')\nmeet.wait()\n'result'", subshell=child)
    assert (answer.text(), answer.result) == ("out\n", "'result'")
    kernel.wait(capturing)
    assert kernel.execute("caught.stdout").result == "'in\\n'"


COMM = "from ipykernel.comm import Comm\n"


def test_comm_messages_of_a_cell(kernel: Wire, child: str) -> None:
    cell = (
        "comm_WHO = Comm(target_name='nobody', data={'of': 'WHO'})\nmeet.wait()\n"
        "comm_WHO.send({'of': 'WHO'})\nmeet.wait()\ncomm_WHO.close()"
    )
    kernel.execute(COMM)
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert [c["data"] for c in answer.of("comm_open")] == [{"of": who}]
        assert [c["data"] for c in answer.of("comm_msg")] == [{"of": who}]
        assert len(answer.of("comm_close")) == 1


@pytest.mark.fault
def test_a_comm_of_a_deleted_child_still_works(kernel: Wire, child: str) -> None:
    kernel.execute(COMM + "heard = []")
    answer = kernel.execute(
        "comm = Comm(target_name='nobody')\n"
        "comm.on_msg(lambda m: (print('callback'), heard.append(m['content']['data'])))",
        subshell=child,
    )
    comm_id = answer.of("comm_open")[0]["comm_id"]
    kernel.delete(child)
    message = kernel.request("comm_msg", {"comm_id": comm_id, "data": {"n": 1}}, subshell=child)
    assert message.text() == "callback\n"
    assert kernel.execute("heard").result == "[{'n': 1}]"


def test_a_comm_callback_while_main_loops(kernel: Wire, child: str) -> None:
    answer = kernel.execute(
        COMM + "comm = Comm(target_name='nobody')\n"
        "comm.on_msg(lambda m: (print('callback'), comm.send({'back': 1})))"
    )
    comm_id = answer.of("comm_open")[0]["comm_id"]
    running = kernel.begin("while not go.is_set(): pass")
    message = kernel.request("comm_msg", {"comm_id": comm_id, "data": {}})
    kernel.execute("go.set()", subshell=child)
    assert message.text() == "callback\n"
    assert [c["data"] for c in message.of("comm_msg")] == [{"back": 1}]
    assert kernel.wait(running)[0].text() == "begun\n"


@pytest.mark.fault
def test_threads_of_a_child(kernel: Wire, child: str) -> None:
    cell = (
        "def work_WHO():\n    for n in range(20):\n        meet.wait()\n        print('WHO', n)\n"
        "        display({'text/plain': 'WHO'}, raw=True)\n"
        "thread_WHO = threading.Thread(target=work_WHO)\nthread_WHO.start()\nthread_WHO.join()"
    )
    for who, answer in zip(SHELLS, both(kernel, child, cell), strict=True):
        assert answer.text() == "".join(f"{who} {n}\n" for n in range(20))
        assert answer.shown == [who] * 20


def test_a_thread_goes_on_after_its_cell(kernel: Wire, child: str) -> None:
    cell = (
        "def work():\n    go.wait()\n    meet.wait()\n    print('thread')\n"
        "    print('error', file=sys.stderr)\n    display({'text/plain': 'shown'}, raw=True)\n"
        "    meet.wait()\nthreading.Thread(target=work).start()"
    )
    started = kernel.wait(kernel.send_execute(cell, subshell=child))[0]
    later = kernel.execute("print('later')", subshell=child)
    main = kernel.execute("go.set()\nmeet.wait()\nprint('main')\nmeet.wait()")
    kernel.until(lambda: started.text() and started.text("stderr") and started.shown)
    assert (started.text(), started.text("stderr")) == ("thread\n", "error\n")
    assert started.shown == ["shown"]
    assert (main.text(), later.text()) == ("main\n", "later\n")


def test_threads_of_threads_and_pools(kernel: Wire, child: str) -> None:
    cell = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        # Each line is one write: print() makes several, and threads may come in between.
        "say = sys.stdout.write\n"
        "def work(n):\n    say(f'task {n}\\n')\n    inner = threading.Thread(target=say, "
        "args=(f'inner {n}\\n',))\n    inner.start(); inner.join()\n    return n\n"
        "with ThreadPoolExecutor(2) as pool:\n    total = sum(pool.map(work, range(5)))\ntotal"
    )
    running = kernel.begin("go.wait()\nprint('main')")
    answer = kernel.execute(cell, subshell=child)
    kernel.execute("go.set()", subshell=child)
    assert sorted(answer.text().split("\n")) == sorted(
        ["", *(f"task {n}" for n in range(5)), *(f"inner {n}" for n in range(5))]
    )
    assert answer.result == "10"
    assert kernel.wait(running)[0].text() == "begun\nmain\n"


def test_timers_of_a_child(kernel: Wire, child: str) -> None:
    started = kernel.execute(
        "threading.Timer(0, lambda: (go.wait(), print('tick'))).start()", subshell=child
    )
    main = kernel.execute("go.set(); print('main')")
    kernel.until(lambda: started.text() == "tick\n", what="the timer's output")
    assert main.text() == "main\n"


def test_tasks_of_a_child_go_on_after_their_cell(kernel: Wire, child: str) -> None:
    cell = (
        "wake = asyncio.Event()\n"
        "async def later():\n    await wake.wait()\n    print('task')\n"
        "    display({'text/plain': 'shown'}, raw=True)\n    done.set()\n"
        "loop = asyncio.get_running_loop()\ntask = asyncio.create_task(later())"
    )
    started = kernel.wait(kernel.send_execute(f"await asyncio.sleep(0)\n{cell}", subshell=child))[0]
    later = kernel.execute("print('later')", subshell=child)
    main = kernel.execute("loop.call_soon_threadsafe(wake.set)\nprint('main')\ndone.wait(30)")
    kernel.until(lambda: started.text() and started.shown, what="the task's output")
    assert (started.text(), started.shown) == ("task\n", ["shown"])
    assert (main.text(), main.result, later.text()) == ("main\n", "True", "later\n")


def test_a_task_prints_under_its_own_cell_while_another_cell_runs(kernel: Wire, child: str) -> None:
    first = kernel.execute(
        "turns = []\n"
        "async def chat():\n    while len(turns) < 10:\n        turns.append(1)\n"
        "        print('task')\n        await asyncio.sleep(0)\n"
        "await asyncio.sleep(0)\ntask = asyncio.create_task(chat())",
        subshell=child,
    )
    second = kernel.execute("await task\nprint('cell')", subshell=child)
    kernel.until(lambda: first.text().count("task") == 10, what="the task's output")
    assert second.text() == "cell\n"


FORK = """
import os
pid = os.fork()
if not pid:
    print('in the fork WHO', flush=True)
    os._exit(0)
os.waitpid(pid, 0)[1]
"""
POOL = """
import functools, multiprocessing
with multiprocessing.get_context('fork').Pool(2) as pool:
    pool.map(functools.partial(print, flush=True), ['pool WHO'] * 4)
"""


@pytest.mark.parametrize("where", SHELLS)
@pytest.mark.parametrize(("cell", "text", "times"), [(FORK, "in the fork", 1), (POOL, "pool", 4)])
def test_forked_processes(
    kernel: Wire, child: str, where: str, cell: str, text: str, times: int
) -> None:
    subshell = child if where == "child" else None
    kernel.execute("import warnings; warnings.simplefilter('ignore')")
    answer = kernel.execute(cell.replace("WHO", where), subshell=subshell)
    assert answer.status == "ok"
    # The processes send for themselves: in pieces, and maybe after the reply.
    kernel.until(
        lambda: answer.text().count(f"{text} {where}") == times, what="the processes' text"
    )


DESCRIPTORS = {
    "a process": "import subprocess\nsubprocess.run(['echo', 'inherited'])",
    "a shell": "import subprocess\nsubprocess.run('echo inherited; true', shell=True)",
    "os.write": "import os\nos.write(1, b'inherited\\n')",
}


@pytest.mark.skipif(LANE < 6, reason="ipykernel 5 does not read the process's descriptors")
@pytest.mark.parametrize("way", DESCRIPTORS)
def test_what_is_written_to_inherited_descriptors(kernel: Wire, child: str, way: str) -> None:
    """Under the cell of the only shell that runs one; of main, if that is busy."""
    before = kernel.execute("print('before')")
    answer = kernel.execute(DESCRIPTORS[way], subshell=child)
    kernel.until(lambda: answer.text() == "inherited\n", what="the output")
    assert before.text() == "before\n"
    main = kernel.begin("go.wait()")
    kernel.execute(DESCRIPTORS[way], subshell=child)
    kernel.wait_for_text(main, "inherited")
    kernel.execute("go.set()", subshell=child)
    kernel.wait(main)
