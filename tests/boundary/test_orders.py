"""G6: it comes off. Load, unload and reload in every order, all comparisons by identity."""

from __future__ import annotations

from typing import Any

import pytest

from tests.boundary.stock import Kernel
from tests.conftest import LANE


def test_the_probe_finds_nothing_where_nothing_was_done(probed: Kernel) -> None:
    probed.run("print('hello'); x = 1; x")
    probed.wire.execute("nonsense", stop_on_error=False)
    probed.run("import threading\nthread = threading.Thread(target=int)\nthread.start()")
    probed.run("del x; thread.join()")
    probed.assert_stock()


def test_the_probe_finds_what_a_load_changes(loaded: Kernel) -> None:
    paths = {line.split(":")[0] for line in loaded.differences()}
    expected = {
        "ipykernel.iostream.OutStream.write",
        "ipykernel.iostream.OutStream.flush",
        "jupyter_client.session.Session.msg_id",
        "threading.Thread.start",
        "IPython.core.interactiveshell.InteractiveShell.instance",
        "kernel.do_execute",
        "control_handlers['create_subshell_request']",
        "magics.line['subshell']",
        "completers['%subshell']",
        "user_ns['get_ipython']",
        "builtins['input']",
        "getpass['getpass']",
        "sys.displayhook",
        "sys.__class__",
        "handler SIGINT",
        "signal['getsignal']",
        "control_stream._recv_callback" if LANE > 5 else "control_stream.socket",
    }
    assert expected - paths == set()


def test_the_probe_tells_a_wrapper_from_what_it_wraps(probed: Kernel) -> None:
    """wrapt wrappers compare equal to their original: `==` would not see this."""
    probed.run(
        "import wrapt, ipykernel.iostream as io\n"
        "wrapt.wrap_function_wrapper(io.OutStream, 'write', lambda f, i, a, k: f(*a, **k))\n"
        "assert io.OutStream.write == vars(probe.snapshots['stock (in a cell)']"
        " and io.OutStream)['write']"
    )
    found = probed.differences()
    assert any(line.startswith("ipykernel.iostream.OutStream.write:") for line in found)


def test_load_unload(loaded: Kernel) -> None:
    loaded.unload()
    loaded.assert_stock()


def test_an_interrupt_while_it_unloads(loaded: Kernel) -> None:
    """It may come while that waits for the debugger; all the rest is undone nevertheless."""
    loaded.run(
        "import ipyext.extension as e\n"
        "debug = e.active().engine.debug\n"
        "def close(close=debug.close):\n    close()\n    raise KeyboardInterrupt\n"
        "debug.close = close; del debug, close"
    )
    answer = loaded.wire.execute("%unload_ext ipyext")
    assert answer.content["ename"] == "KeyboardInterrupt"
    loaded.run("del e")
    loaded.wire.execute("1 / 0")  # Python and IPython keep the frames of the last error
    loaded.assert_stock()


def test_the_cell_that_unloads_goes_on_in_a_stock_kernel(probed: Kernel) -> None:
    """Not only the next cell: builtins and traps are as the stock kernel has them inside a cell."""
    probed.load()
    probed.run(
        "get_ipython().run_line_magic('unload_ext', 'ipyext')\n"
        "import probe\n"
        "probe.take('rest of the cell')"
    )
    assert probed.ask("probe.differences('stock (in a cell)', 'rest of the cell')") == []
    probed.run("probe.forget('rest of the cell')")
    probed.assert_stock()


def test_load_and_unload_in_one_cell(probed: Kernel) -> None:
    probed.run(
        "run = get_ipython().run_line_magic\n"
        "run('load_ext', 'ipyext'); run('unload_ext', 'ipyext')\n"
        "import probe\n"
        "probe.take('rest of the cell')"
    )
    assert probed.ask("probe.differences('stock (in a cell)', 'rest of the cell')") == []
    probed.run("probe.forget('rest of the cell')")
    probed.assert_stock()


def test_load_unload_load_unload(loaded: Kernel) -> None:
    loaded.unload()
    loaded.load()
    child = loaded.wire.create()
    assert loaded.run("print('works')", subshell=child) == "works\n"
    loaded.unload()
    loaded.assert_stock()


def test_reload(loaded: Kernel) -> None:
    loaded.run("%reload_ext ipyext")
    child = loaded.wire.create()
    assert loaded.run("print('works')", subshell=child) == "works\n"
    loaded.unload()
    loaded.assert_stock()


def test_reload_ends_the_children_of_the_first_load(loaded: Kernel) -> None:
    loaded.wire.create()
    loaded.run("%reload_ext ipyext")
    assert loaded.wire.control("list_subshell_request")["subshell_id"] == []
    names = loaded.ask("probe.thread_names()")
    assert [name for name in names if name.startswith("subshell-")] == []


def test_load_twice_loads_once(loaded: Kernel) -> None:
    answer = loaded.wire.execute("%load_ext ipyext")
    assert answer.status == "ok"
    assert "already loaded" in answer.text()
    loaded.unload()
    loaded.assert_stock()


def test_a_second_load_behind_ipythons_back_is_refused(loaded: Kernel) -> None:
    answer = loaded.wire.execute("import ipyext; ipyext.load_ipython_extension(get_ipython())")
    assert (answer.status, answer.content["ename"]) == ("error", "UsageError")
    assert answer.text("stderr") == "UsageError: ipyext is loaded in this kernel already.\n"
    loaded.unload()
    loaded.displace_the_last_error()
    loaded.assert_stock()


def test_unload_twice(loaded: Kernel) -> None:
    loaded.unload()
    answer = loaded.wire.execute("%unload_ext ipyext")
    assert "not loaded" in answer.text()
    loaded.run("import ipyext; ipyext.unload_ipython_extension(get_ipython())")
    loaded.assert_stock()


@pytest.mark.parametrize("where", ["main", "a child"])
def test_what_was_printed_before_the_unload_comes_first(loaded: Kernel, where: str) -> None:
    child = loaded.wire.create() if where == "a child" else None
    cell = "\n".join(
        [
            "import sys",
            "print('1 out'); print('1 err', file=sys.stderr)",
            "%unload_ext ipyext",
            "print('2 out'); print('2 err', file=sys.stderr)",
        ]
    )
    answer = loaded.wire.execute(cell, subshell=child)
    assert answer.text() == "1 out\n2 out\n"
    assert answer.text("stderr") == "1 err\n2 err\n"


def test_unload_gives_the_stock_magics_and_features_back(probed: Kernel) -> None:
    def info() -> dict[str, Any]:
        content = probed.wire.request("kernel_info_request").content
        return {**content, "banner": ""}  # IPython 9 adds a tip of the day to every one

    before = info()
    missing = probed.wire.execute("%subshell", stop_on_error=False).status
    probed.load()
    features = probed.wire.request("kernel_info_request").content["supported_features"]
    assert "kernel subshells" in features
    assert probed.wire.execute("%subshell").status == "ok"
    probed.unload()
    assert info() == before
    assert probed.wire.execute("%subshell", stop_on_error=False).status == missing


def test_what_cells_made_stays(loaded: Kernel) -> None:
    """Unload takes the extension away, not the person's work."""
    child = loaded.wire.create()
    loaded.run("a = 1; import threading; lock = threading.Lock()")
    loaded.run("b = a + 1", subshell=child)
    count = loaded.wire.execute("c = 3").content["execution_count"]
    loaded.unload()
    answer = loaded.wire.execute("print(a, b, c, lock.locked())")
    assert answer.text() == "1 2 3 False\n"
    assert answer.content["execution_count"] == count + 2


def test_unload_leaves_no_thread_and_no_descriptor(loaded: Kernel) -> None:
    children = [loaded.wire.create() for _ in range(5)]
    for number, child in enumerate(children):
        loaded.run(f"print({number})", subshell=child)
    loaded.run("%%subshell\nprint('fresh')")
    loaded.run("%%subshell named\nprint('named')")
    loaded.unload()
    loaded.assert_stock()


def test_twenty_rounds_leak_nothing(probed: Kernel) -> None:
    probed.load()
    probed.unload()
    probed.assert_no_leak()
    for _ in range(20):
        probed.load()
        child = probed.wire.create()
        assert probed.run("print('child')", subshell=child) == "child\n"
        probed.unload()
        assert probed.run("print('main')") == "main\n"
    probed.assert_stock()


def test_twenty_rounds_that_end_in_a_child_leak_nothing(probed: Kernel) -> None:
    """The rest of the child's cell, and its idle, go out the way of the stock kernel."""
    probed.load()
    probed.unload()
    probed.assert_no_leak()
    for _ in range(20):
        probed.load()
        child = probed.wire.create()
        cell = "print('child')\n%unload_ext ipyext\nprint('goes on')"
        assert probed.run(cell, subshell=child) == "child\ngoes on\n"
        assert probed.run("print('main')") == "main\n"
    probed.assert_stock()
