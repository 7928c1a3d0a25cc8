"""Unload from anywhere, at any moment: nothing is lost, nothing is answered twice (G1, G6)."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.boundary.stock import Kernel
from tests.conftest import LANE

UNLOAD = "get_ipython().run_line_magic('unload_ext', 'ipyext')"
REQUESTS = 500


def send_cells(kernel: Kernel, count: int, label: str) -> list[str]:
    """Cells for main that tell in which order they ran."""
    return [
        kernel.wire.send_execute(f"order.append(({label!r}, {n})); print({n})")
        for n in range(count)
    ]


def assert_in_order(kernel: Kernel, ids: list[str], label: str) -> None:
    for number, answer in enumerate(kernel.wire.wait(*ids, timeout=60)):
        assert answer.status == "ok", answer.content
        assert answer.text() == f"{number}\n"
    ran = kernel.ask(f"[n for who, n in order if who == {label!r}]")
    assert ran == list(range(len(ids)))


def test_from_a_child_while_main_is_idle(loaded: Kernel) -> None:
    child = loaded.wire.create()
    loaded.run(UNLOAD + "\nafterwards = 1", subshell=child)
    assert loaded.run("print(afterwards)") == "1\n"
    loaded.assert_stock()


def test_from_a_subshell_cell(loaded: Kernel) -> None:
    loaded.run("%%subshell\n" + UNLOAD + "\nafterwards = 1")
    assert loaded.run("print(afterwards)") == "1\n"
    loaded.assert_stock()


def test_the_rest_of_the_childs_cell_that_unloads_prints_under_it(loaded: Kernel) -> None:
    """G2: never under the cell that main ran last."""
    child = loaded.wire.create()
    last = loaded.wire.send_execute("print('main')")
    loaded.wire.wait(last)
    cell = loaded.wire.execute(UNLOAD + "\nprint('goes on')\n'the result'", subshell=child)
    loaded.run("import sys; sys.stdout.flush()")
    assert loaded.wire.answers[last].text() == "main\n"
    assert cell.text() == "goes on\n"
    assert cell.result == "'the result'"


def test_from_a_named_subshell_cell_with_the_magic(loaded: Kernel) -> None:
    loaded.run("%%subshell worker\n%unload_ext ipyext")
    loaded.assert_stock()


def test_from_a_child_while_main_is_busy(loaded: Kernel) -> None:
    child = loaded.wire.create()
    loaded.run("import threading; stop = threading.Event()")
    loop = loaded.wire.begin("while not stop.is_set(): pass\nprint('main ends')")
    unload = loaded.wire.send_execute(UNLOAD + "\nstop.set()", subshell=child)
    cell, main = loaded.wire.wait(unload, loop)
    assert cell.status == "ok"
    assert main.text() == "begun\nmain ends\n"
    loaded.assert_stock()


def test_from_main_with_children_busy_waiting_and_queued(loaded: Kernel) -> None:
    children = [loaded.wire.create() for _ in range(3)]
    loaded.run("import threading; never = threading.Event()")
    running = [
        loaded.wire.begin("while True: pass", subshell=children[0]),
        loaded.wire.begin("never.wait()", subshell=children[1]),
        loaded.wire.send_execute("input()", subshell=children[2], allow_stdin=True),
    ]
    loaded.wire.wait_for_input()
    queued = [loaded.wire.send_execute("1", subshell=child) for child in children for _ in range(5)]
    # A request on the same connection, so those above have been routed.
    loaded.run("pass")
    assert loaded.wire.execute("%unload_ext ipyext").text("stderr") == ""
    for answer in loaded.wire.wait(*running, *queued):
        assert answer.status == "error"
        assert answer.content["ename"] in ("SubshellDeletedError", "KeyboardInterrupt")
    assert loaded.wire.execute("never.set()").text("stderr") == ""
    loaded.assert_stock()


def test_from_a_thread_while_main_is_idle(loaded: Kernel) -> None:
    loaded.run(
        "import threading\n"
        "from IPython import get_ipython as here\n"
        "def unload():\n"
        "    go.wait()\n"
        "    shell.run_line_magic('unload_ext', 'ipyext')\n"
        "    done.set()\n"
        "shell = here(); go, done = threading.Event(), threading.Event()\n"
        "thread = threading.Thread(target=unload); thread.start()\n"
        # fires when main's loop is idle again
        "shell.kernel.io_loop.call_later(0, go.set)"
    )
    loaded.run("done.wait(); thread.join(); del thread")
    loaded.assert_stock()


def test_a_cell_that_begins_while_a_thread_unloads_prints_in_order(loaded: Kernel) -> None:
    """Its first words go out our way, the others the way of the stock kernel."""
    loaded.run(
        """
import threading
from ipyext import extension
going, begun, unloaded = threading.Event(), threading.Event(), threading.Event()
engine = extension.active().engine
def retire(retire=engine.retire):
    retire()
    going.set()
    begun.wait(30)
def unload():
    engine.retire = retire
    get_ipython().extension_manager.unload_extension("ipyext")
    unloaded.set()
thread = threading.Thread(target=unload)
thread.start()
going.wait(30)
"""
    )
    cell = "print('first', end=' '); begun.set(); print(unloaded.wait(30))"
    assert loaded.run(cell) == "first True\n"
    loaded.run("thread.join(); del engine, retire, thread, unload, extension")


def test_from_a_thread_while_main_is_busy(loaded: Kernel) -> None:
    loaded.run(
        "import threading\n"
        "shell = get_ipython(); errors = []\n"
        "def unload():\n"
        "    try: shell.run_line_magic('unload_ext', 'ipyext')\n"
        "    except BaseException as error: errors.append(repr(error))\n"
        "thread = threading.Thread(target=unload); thread.start(); thread.join()\n"
        "del thread\n"
        "print('main goes on')"
    )
    assert loaded.ask("errors") == []
    loaded.assert_stock()


@pytest.mark.parametrize("where", ["main", "child", "thread"])
def test_while_a_client_sends(loaded: Kernel, where: str) -> None:
    """None lost, none answered twice, all in order; half of them are sent before it begins."""
    loaded.run("order = []; import threading; shell = get_ipython()")
    child = loaded.wire.create()
    ids = send_cells(loaded, REQUESTS // 2, "main")
    if where == "main":
        unload = loaded.wire.send_execute(UNLOAD)
    elif where == "child":
        unload = loaded.wire.send_execute(UNLOAD, subshell=child)
    else:
        unload = loaded.wire.send_execute(
            f"thread = threading.Thread(target=lambda: shell.{UNLOAD.split('.', 1)[1]})\n"
            "thread.start()"
        )
    half = REQUESTS // 2
    ids += [
        loaded.wire.send_execute(f"order.append(('main', {n})); print({n})")
        for n in range(half, REQUESTS)
    ]
    loaded.wire.wait(unload)
    assert_in_order(loaded, ids, "main")
    loaded.run("globals().pop('thread', threading.current_thread())")
    loaded.assert_stock()


def test_while_a_client_sends_to_children_and_asks(loaded: Kernel) -> None:
    """Requests of every kind, to main, to children and on control, around the unload."""
    children = [loaded.wire.create() for _ in range(3)]
    loaded.run("order = []")

    def burst(start: int) -> list[str]:
        wire = loaded.wire
        sent = []
        for n in range(start, start + 40):
            sent.append(wire.send_execute(f"order.append(('main', {n}))"))
            if start == 0:  # afterwards the stock kernel would run or refuse them, by its version
                sent += [wire.send_execute(f"x{n} = 1", subshell=child) for child in children]
            sent.append(wire.send("kernel_info_request"))
            sent.append(wire.send("complete_request", {"code": "pri", "cursor_pos": 3}))
            sent.append(wire.send("kernel_info_request", channel="control"))
        return sent

    ids = burst(0)
    unload = loaded.wire.send_execute(UNLOAD)
    ids += burst(40)
    loaded.wire.wait(unload, *ids, timeout=60)
    assert loaded.ask("[n for _, n in order]") == list(range(80))
    loaded.assert_stock()


def test_many_rounds_while_a_client_sends(loaded: Kernel) -> None:
    """The socket changes hands twenty times under a stream of requests."""
    loaded.run("order = []; shell = get_ipython()")
    ids = []
    for round_number in range(10):
        loaded.wire.send_execute(UNLOAD)
        for n in range(10):
            number = round_number * 20 + n
            ids.append(
                loaded.wire.send_execute(f"order.append(('main', {number})); print({number})")
            )
        loaded.wire.send_execute("get_ipython().run_line_magic('load_ext', 'ipyext')")
        for n in range(10, 20):
            number = round_number * 20 + n
            ids.append(
                loaded.wire.send_execute(f"order.append(('main', {number})); print({number})")
            )
        loaded.wire.pump()
    assert_in_order(loaded, ids, "main")
    loaded.unload()
    loaded.assert_stock()


def test_a_queue_that_waits_behind_a_busy_main(loaded: Kernel) -> None:
    """Requests that main had not begun go back to the stock queue, in order."""
    loaded.run("order = []; import threading; stop = threading.Event()")
    child = loaded.wire.create()
    loop = loaded.wire.begin("stop.wait()")
    ids = send_cells(loaded, 50, "main")
    loaded.run("pass", subshell=child)  # routed behind the fifty
    unload = loaded.wire.send_execute(UNLOAD + "\nstop.set()", subshell=child)
    loaded.wire.wait(loop, unload)
    assert_in_order(loaded, ids, "main")
    loaded.assert_stock()


def test_input_of_main_that_is_waiting_is_answered_after_unload(loaded: Kernel) -> None:
    """main asks, a child unloads meanwhile, and the person answers afterwards."""
    child = loaded.wire.create()
    asking = loaded.wire.send_execute("print(input('who? '))", allow_stdin=True)
    (asked,) = loaded.wire.wait_for_input()
    loaded.run(UNLOAD, subshell=child)
    loaded.wire.answer_input(asked, "me")
    assert loaded.wire.wait(asking)[0].text() == "me\n"
    again = loaded.wire.send_execute("print(input('again? '))", allow_stdin=True)
    (asked,) = loaded.wire.wait_for_input()
    loaded.wire.answer_input(asked, "still me")
    assert loaded.wire.wait(again)[0].text() == "still me\n"
    loaded.assert_stock()


def test_interrupt_works_after_unload(loaded: Kernel) -> None:
    loaded.unload()
    loop = loaded.wire.begin("while True: pass", stop_on_error=False)
    if LANE > 5:
        loaded.wire.control("interrupt_request")  # the reply of 6.17 has no status
    else:
        loaded.process.signal()
    assert loaded.wire.wait(loop)[0].content["ename"] == "KeyboardInterrupt"
    loaded.process.signal()  # between cells the stock kernel ignores it
    assert loaded.run("print('alive')") == "alive\n"


def test_shutdown_works_after_unload(loaded: Kernel) -> None:
    loaded.unload()
    loaded.wire.control("shutdown_request", {"restart": False})
    assert loaded.process.gone_within(10)


@pytest.mark.skipif(
    not hasattr(InteractiveShell, "_tee"), reason="IPython 8 does not keep what cells print"
)
def test_the_stock_write_is_back_before_ipython_keeps_it(loaded: Kernel) -> None:
    """A cell that begins during the unload puts back what it met, which must not be ours."""
    loaded.run("from ipyext.extension import active")
    ids = loaded.ask("[one.patch.id for one in active().host.report()]")
    assert ids.index("ipython.tee") < ids.index("output.write")  # undone in reverse


def test_a_completion_that_is_under_way(loaded: Kernel) -> None:
    """In a helper, while the stock kernel completes already: both are answered."""
    wire = loaded.wire
    child = wire.create()
    loaded.run("import threading; go = threading.Event(); from ipyext.extension import active")
    main = wire.begin("go.wait(30)")
    content = {"code": "thre", "cursor_pos": 4}
    asked = [wire.send("complete_request", content) for _ in range(30)]
    unload = wire.send_execute("go.set()\n" + UNLOAD, subshell=child)
    asked += [wire.send("complete_request", content) for _ in range(30)]
    wire.wait(main, unload)
    for answer in wire.wait(*asked, timeout=60):
        assert answer.status == "ok", answer.content
        assert "threading" in answer.content["matches"]
    loaded.run("del active")
    loaded.assert_stock()
