"""Load at every moment: before the kernel starts, from a running cell, beside stock subshells."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.boundary.stock import Kernel, ok
from tests.conftest import LANE
from tests.wire import KernelProcess

LOAD = "get_ipython().run_line_magic('load_ext', 'ipyext')"

stock_subshells = pytest.mark.skipif(
    LANE < 7, reason="ipykernel 5 and 6 have no subshells of their own"
)


@pytest.fixture
def autoloaded(start_kernel: Callable[..., KernelProcess]) -> Kernel:
    process = start_kernel("--ext", "ipyext")
    return Kernel(process, process.client(), baseline=False)


def test_autoload_works(autoloaded: Kernel) -> None:
    child = autoloaded.wire.create()
    assert autoloaded.run("print('child')", subshell=child) == "child\n"
    loop = autoloaded.wire.begin("import threading; stop = threading.Event(); stop.wait()")
    assert autoloaded.run("stop.set(); print('beside')", subshell=child) == "beside\n"
    autoloaded.wire.wait(loop)
    autoloaded.wire.check()


def test_autoload_then_unload_gives_a_stock_kernel(autoloaded: Kernel) -> None:
    """There is no baseline to compare with, so a second round gives one."""
    autoloaded.unload()
    autoloaded.baseline()
    autoloaded.load()
    child = autoloaded.wire.create()
    assert autoloaded.run("print('child')", subshell=child) == "child\n"
    autoloaded.unload()
    autoloaded.assert_stock()
    autoloaded.wire.check()


def test_autoload_then_unload_leaves_nothing_of_ours(autoloaded: Kernel) -> None:
    autoloaded.unload()
    autoloaded.take("now")
    for moment in ("in a cell", "between cells"):
        ours = autoloaded.ask(
            f"[path for path, thing in probe.snapshots['now ({moment})'].items()"
            " if 'ipyext' in str(getattr(thing, '__module__', ''))"
            " or 'ipyext' in str(getattr(type(thing), '__module__', ''))"
            " or type(thing).__module__.startswith('wrapt')]"
        )
        assert ours == []
    assert [n for n in autoloaded.ask("probe.thread_names()") if n.startswith("subshell")] == []


def test_autoload_of_kernel_start(autoloaded: Kernel) -> None:
    """`kernel.start` was replaced for the moment of starting; it is stock after unload."""
    autoloaded.unload()
    assert autoloaded.ask("'start' in vars(get_ipython().kernel)") is False


def test_autoload_answers_what_was_sent_before_it_was_ready(
    start_kernel: Callable[..., KernelProcess],
) -> None:
    wire = start_kernel("--ext", "ipyext").client()
    ids = [wire.send_execute(f"print({n})") for n in range(100)]
    assert [answer.text() for answer in wire.wait(*ids)] == [f"{n}\n" for n in range(100)]
    wire.check()


def test_from_a_running_async_cell_with_requests_queued(probed: Kernel) -> None:
    """What the stock kernel has in its queue already is answered once, in order."""
    probed.run(
        "import asyncio, signal, threading\n"
        "order = []; go = threading.Event()\n"
        "signal.signal(signal.SIGUSR2, lambda *args: go.set())"
    )
    cell = probed.wire.begin(
        "loop = asyncio.get_running_loop()\n"
        "await loop.run_in_executor(None, go.wait)\n"
        f"{LOAD}\n"
        "await asyncio.sleep(0)\n"
        "order.append('loaded')"
    )
    ids = [probed.wire.send_execute(f"order.append({n}); print({n})") for n in range(50)]
    # By the time of the signal some of the fifty are in the kernel's queue, some on the wire.
    probed.process.signal(signal.SIGUSR2)
    assert probed.wire.wait(cell)[0].status == "ok"
    assert [answer.text() for answer in probed.wire.wait(*ids)] == [f"{n}\n" for n in range(50)]
    assert probed.ask("order") == ["loaded", *range(50)]
    child = probed.wire.create()
    assert probed.run("print('child')", subshell=child) == "child\n"
    probed.unload()
    probed.run("loop._default_executor.shutdown(); loop._default_executor = None")
    probed.assert_stock()


def test_unload_from_a_running_async_cell(loaded: Kernel) -> None:
    loaded.run("import asyncio")
    cell = loaded.wire.send_execute(
        "await asyncio.sleep(0)\n"
        "get_ipython().run_line_magic('unload_ext', 'ipyext')\n"
        "await asyncio.sleep(0)\n"
        "print('goes on')"
    )
    ids = [loaded.wire.send_execute(f"print({n})") for n in range(50)]
    assert loaded.wire.wait(cell)[0].text() == "goes on\n"
    assert [answer.text() for answer in loaded.wire.wait(*ids)] == [f"{n}\n" for n in range(50)]
    loaded.assert_stock()


def test_from_a_cell_with_five_hundred_requests_behind_it(probed: Kernel) -> None:
    probed.run("order = []")
    cell = probed.wire.send_execute(LOAD)
    ids = [probed.wire.send_execute(f"order.append({n}); print({n})") for n in range(500)]
    answers = probed.wire.wait(cell, *ids, timeout=60)
    assert [a.text() for a in answers[1:]] == [f"{n}\n" for n in range(500)]
    assert probed.ask("order") == list(range(500))
    probed.unload()
    probed.assert_stock()


def test_from_a_thread(probed: Kernel) -> None:
    """Refused or done, but never half: afterwards it is loaded and works, or stock."""
    probed.run(
        "import threading\n"
        "shell = get_ipython(); outcome = []\n"
        "def load():\n"
        "    try: shell.run_line_magic('load_ext', 'ipyext'); outcome.append('loaded')\n"
        "    except Exception as error: outcome.append(repr(error))\n"
        "thread = threading.Thread(target=load); thread.start(); thread.join(); del thread"
    )
    if probed.ask("outcome") == ["loaded"]:
        child = probed.wire.create()
        assert probed.run("print('child')", subshell=child) == "child\n"
        probed.unload()
    probed.displace_the_last_error()
    probed.assert_stock()


def test_a_child_prints_as_soon_as_the_load_is_answered(probed: Kernel) -> None:
    """Also when main has got no further than the reply of the loading cell."""
    probed.run(
        "import asyncio, threading; go = threading.Event()\n"
        "asyncio.get_event_loop().call_soon(go.wait)\n" + LOAD
    )
    child = probed.wire.create()
    assert probed.run("print('child')\ngo.set()", subshell=child) == "child\n"


@stock_subshells
def test_from_a_stock_subshell(probed: Kernel) -> None:
    made = probed.wire.create()
    probed.run("1", subshell=made)
    ok(probed.wire.execute(LOAD, subshell=made))
    child = probed.wire.create()
    assert probed.run("print('child')", subshell=child) == "child\n"
    assert probed.run("print('stock child')", subshell=made) == "stock child\n"
    assert set(probed.wire.control("list_subshell_request")["subshell_id"]) == {made, child}
    probed.unload()
    assert probed.wire.control("list_subshell_request")["subshell_id"] == [made]
    assert probed.run("print('stock child')", subshell=made) == "stock child\n"
    probed.wire.control("delete_subshell_request", {"subshell_id": made})
    probed.assert_stock()


@stock_subshells
def test_stock_subshells_made_before_the_load_go_on(probed: Kernel) -> None:
    first, second = probed.wire.create(), probed.wire.create()
    probed.run("x = 1", subshell=first)
    probed.load()
    loop = probed.wire.begin("import threading; stop = threading.Event(); stop.wait()")
    # Not stored: main and a stock subshell may store the same line number, and IPython says so.
    assert probed.run("print(x + 1)", subshell=first, store_history=False) == "2\n"
    assert probed.wire.control("delete_subshell_request", {"subshell_id": second}) == {
        "status": "ok"
    }
    assert probed.wire.control("list_subshell_request")["subshell_id"] == [first]
    probed.run("stop.set()", subshell=first)
    probed.wire.wait(loop)
    probed.unload()
    assert probed.run("print(x + 2)", subshell=first) == "3\n"
    assert probed.wire.control("delete_subshell_request", {"subshell_id": first}) == {
        "status": "ok"
    }
    assert probed.wire.control("list_subshell_request")["subshell_id"] == []
    probed.assert_stock()


@stock_subshells
def test_requests_to_a_stock_subshell_around_load_and_unload(probed: Kernel) -> None:
    made = probed.wire.create()
    probed.run("seen = []", subshell=made)
    ids = []
    for n in range(60):
        if n == 20:
            ids.append(probed.wire.send_execute(LOAD))
        if n == 40:
            ids.append(probed.wire.send_execute(LOAD.replace("load_ext", "unload_ext")))
        ids.append(probed.wire.send_execute(f"seen.append({n})", subshell=made))
    for answer in probed.wire.wait(*ids):
        assert answer.status == "ok", answer.content
    assert probed.ask("seen") == list(range(60))
    probed.wire.control("delete_subshell_request", {"subshell_id": made})
    # Cells of main and of a stock subshell overlapped, and the stock kernel itself then leaves its
    # own input() and IPython 9's own write() in place: each shell put back what it had found.
    probed.assert_stock(
        "builtins['input']", "getpass['getpass']", "sys.stdout.write", "sys.stderr.write"
    )


@stock_subshells
def test_unload_from_a_stock_subshell(probed: Kernel) -> None:
    made = probed.wire.create()
    probed.run("1", subshell=made)
    probed.load()
    ok(probed.wire.execute(LOAD.replace("load_ext", "unload_ext"), subshell=made))
    assert probed.run("print('stock child')", subshell=made) == "stock child\n"
    probed.wire.control("delete_subshell_request", {"subshell_id": made})
    probed.assert_stock()
