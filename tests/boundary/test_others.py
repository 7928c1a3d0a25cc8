"""Other tools patch the same places. What they installed works after unload, on the stock kernel.

A wrapper put on top of ours before the unload holds a reference to ours. Where ours can be removed
from under it, it is; where not, it stays inside, switched off, and does what the original does.
"""

from __future__ import annotations

import pytest

from tests.boundary.stock import Kernel
from tests.conftest import LANE

# How others wrap, as code that defines put(owner, name) and take_off().
WRAPT = """
import wrapt
calls = []
def put(owner, name):
    def wrapper(wrapped, instance, args, kwargs):
        calls.append(name)
        return wrapped(*args, **kwargs)
    global handle, place
    place = (owner, name)
    handle = wrapt.wrap_object(owner, name, wrapt.FunctionWrapper, (wrapper,))
def take_off():
    wrapt.unwrap_object(*place, handle)
"""
PLAIN = """
import functools
calls = []
def put(owner, name):
    global place, former
    place, former = (owner, name), getattr(owner, name)
    inner = former
    @functools.wraps(inner)
    def wrapper(*args, **kwargs):
        calls.append(name)
        return inner(*args, **kwargs)
    setattr(owner, name, wrapper)
def take_off():
    setattr(*place, former)
"""
WAYS = {"wrapt": WRAPT, "functools": PLAIN}
ways = pytest.mark.parametrize("way", WAYS)

# IPython 9's _tee reads and stores `sys.stdout.write` around every cell, and so keeps what it met.
WRITERS = ("sys.stdout.write", "sys.stderr.write")


def calls(kernel: Kernel) -> int:
    return int(kernel.ask("len(calls)"))


def assert_called_by(kernel: Kernel, code: str) -> None:
    before = calls(kernel)
    kernel.run(code)
    assert calls(kernel) > before


@ways
def test_a_wrapper_on_write(loaded: Kernel, way: str) -> None:
    loaded.run(WAYS[way] + "from ipykernel.iostream import OutStream\nput(OutStream, 'write')")
    assert_called_by(loaded, "print('loaded')")
    loaded.unload()
    assert_called_by(loaded, "print('unloaded')")
    assert loaded.run("print('once')") == "once\n"
    loaded.assert_stock("ipykernel.iostream.OutStream.write", *WRITERS, held=way != "wrapt")
    loaded.run("take_off()")
    assert loaded.run("print('without')") == "without\n"
    if way == "wrapt":
        loaded.assert_stock(*WRITERS)  # ours was removed from under theirs


@ways
def test_a_wrapper_that_was_there_before_the_load(probed: Kernel, way: str) -> None:
    probed.run(WAYS[way] + "from ipykernel.iostream import OutStream\nput(OutStream, 'write')")
    probed.baseline()
    probed.load()
    assert_called_by(probed, "print('loaded')")
    child = probed.wire.create()
    assert probed.run("print('child')", subshell=child) == "child\n"
    probed.unload()
    assert_called_by(probed, "print('unloaded')")
    probed.assert_stock(*WRITERS)


@ways
def test_a_wrapper_on_the_stream_itself(probed: Kernel, way: str) -> None:
    """Loggers do that: `sys.stdout.write = ...` before the extension comes."""
    # Between cells: IPython 9 takes back at the end of a cell what is put there during it.
    probed.run(
        WAYS[way] + "import sys\n"
        "get_ipython().kernel.io_loop.add_callback(put, sys.stdout, 'write')"
    )
    probed.run("assert place")
    assert_called_by(probed, "print('stock')")
    probed.load()
    assert_called_by(probed, "print('loaded')")
    probed.unload()
    assert_called_by(probed, "print('unloaded')")
    assert probed.run("print('once')") == "once\n"


def test_a_tool_that_puts_back_the_write_that_it_met(loaded: Kernel) -> None:
    """As Spyder's calls do, and `redirect` helpers: what they met is ours while we are loaded."""
    loaded.run(
        "import sys\n"
        "def put_back(): sys.stdout.write = sys.stdout.write; done.append(1)\n"
        "done = []\n"
        "get_ipython().kernel.io_loop.add_callback(put_back)"
    )
    loaded.run("assert done")
    loaded.unload()
    assert loaded.run("print('once')") == "once\n"
    loaded.assert_stock()


@ways
def test_a_wrapper_on_do_execute(loaded: Kernel, way: str) -> None:
    loaded.run(WAYS[way] + "kernel = get_ipython().kernel\nput(kernel, 'do_execute')")
    child = loaded.wire.create()
    assert_called_by(loaded, "main = 1")
    assert loaded.run("print(main)", subshell=child) == "1\n"
    loaded.unload()
    assert_called_by(loaded, "print('unloaded')")
    assert loaded.run("print('once')") == "once\n"
    answer = loaded.wire.execute("1/0", stop_on_error=False)
    assert answer.content["ename"] == "ZeroDivisionError"
    loaded.assert_stock("kernel.do_execute", held=True)


@ways
def test_a_wrapper_on_thread_start(loaded: Kernel, way: str) -> None:
    loaded.run(WAYS[way] + "import threading\nput(threading.Thread, 'start')")
    code = (
        "thread = threading.Thread(target=print, args=('thread',))\nthread.start(); thread.join()"
    )
    assert_called_by(loaded, code)
    loaded.unload()
    assert_called_by(loaded, code)
    loaded.run("del thread")
    loaded.run("take_off()")
    if way == "wrapt":
        assert loaded.differences() == []


TABLE = """
calls = []
table = get_ipython().kernel.{table}
inner = table[{name!r}]
def wrapper(stream, ident, parent):
    calls.append({name!r})
    return inner(stream, ident, parent)
table[{name!r}] = wrapper
"""


def test_a_wrapper_around_an_entry_of_the_stock_kernel(loaded: Kernel) -> None:
    """interrupt_request: theirs reaches the stock entry after unload, where there is one."""
    loaded.run(TABLE.format(table="control_handlers", name="interrupt_request"))
    loaded.unload()
    if LANE > 5:  # ipykernel 5 reads its control channel on main, between cells
        loop = loaded.wire.begin("while True: pass", stop_on_error=False)
        loaded.wire.control("interrupt_request")  # the reply of 6.17 has no status
        assert loaded.wire.wait(loop)[0].content["ename"] == "KeyboardInterrupt"
    else:  # ... and has no such request
        request = loaded.wire.send("interrupt_request", channel="control")
        loaded.wire.expect_reply[request] = False
        loaded.wire.control("kernel_info_request")  # handled after it
    assert calls(loaded) == 1
    loaded.assert_stock("control_handlers['interrupt_request']", held=True)


def test_a_wrapper_around_kernel_info(loaded: Kernel) -> None:
    loaded.run(TABLE.format(table="shell_handlers", name="kernel_info_request"))
    assert loaded.wire.request("kernel_info_request").status == "ok"
    loaded.unload()
    content = loaded.wire.request("kernel_info_request").content
    assert ("kernel subshells" in content.get("supported_features", [])) == (LANE == 7)
    assert calls(loaded) == 2


def test_a_wrapper_around_our_create_subshell_request(loaded: Kernel) -> None:
    """Theirs still calls our handler after unload; that must do what the stock kernel does."""
    loaded.run(TABLE.format(table="control_handlers", name="create_subshell_request"))
    assert loaded.wire.control("create_subshell_request")["status"] == "ok"
    loaded.unload()
    request = loaded.wire.send("create_subshell_request", channel="control")
    if LANE == 7:
        made = loaded.wire.wait(request)[0].content["subshell_id"]
        assert loaded.ask("list(probe.subshell_manager()._cache)") == [made]
        assert loaded.run("print('stock child')", subshell=made) == "stock child\n"
        assert loaded.wire.control("delete_subshell_request", {"subshell_id": made}) == {
            "status": "ok"
        }
    else:
        # There is no such request in ipykernel 5 and 6; theirs must not bring our engine back.
        loaded.wire.expect_reply[request] = False
        loaded.wire.control("kernel_info_request")  # handled after it
    names = loaded.ask("probe.thread_names()")
    assert [name for name in names if name.startswith("subshell")] == []
    assert calls(loaded) == 2
    loaded.assert_stock("control_handlers['create_subshell_request']", held=True)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("channel", ["control", "shell"])
def test_an_entry_of_another_tool(probed: Kernel, channel: str, when: str) -> None:
    """As jupyter-resource-usage, ipyparallel and spyder-kernels add them."""
    if when == "after":
        probed.load()
    probed.run(
        "kernel = get_ipython().kernel\n"
        "def usage(stream, ident, parent):\n"
        "    kernel.session.send(stream, 'tool_reply', {'status': 'ok', 'cpu': 1}, parent, ident)\n"
        f"kernel.{channel}_handlers['tool_request'] = usage"
    )
    if when == "before":
        assert probed.wire.request("tool_request", channel=channel).content["cpu"] == 1
        probed.load()
    assert probed.wire.request("tool_request", channel=channel).content["cpu"] == 1
    probed.unload()
    assert probed.wire.request("tool_request", channel=channel).content["cpu"] == 1
    probed.assert_stock(f"{channel}_handlers['tool_request']")


def test_an_entry_that_another_tool_put_over_ours(loaded: Kernel) -> None:
    loaded.run(
        "kernel = get_ipython().kernel\n"
        "def mine(stream, ident, parent):\n"
        "    content = {'status': 'ok', 'subshell_id': ['mine']}\n"
        "    kernel.session.send(stream, 'list_subshell_reply', content, parent, ident)\n"
        "kernel.control_handlers['list_subshell_request'] = mine"
    )
    loaded.unload()
    assert loaded.wire.control("list_subshell_request")["subshell_id"] == ["mine"]
    loaded.assert_stock("control_handlers['list_subshell_request']")


def test_a_magic_of_that_name_defined_by_the_user(loaded: Kernel) -> None:
    loaded.run(
        "def subshell(line): print('my own', line)\n"
        "get_ipython().register_magic_function(subshell, 'line')"
    )
    loaded.unload()
    assert loaded.run("%subshell here") == "my own here\n"
    loaded.assert_stock("magics.line['subshell']")


def test_sigint_handler_of_another_tool(loaded: Kernel) -> None:
    """Between cells, the handler that somebody installed instead of ours stays."""
    loaded.run("calls = []\ndef theirs(*args): calls.append(args)")
    loaded.run("kernel = get_ipython().kernel; kernel.saved_sigint_handler = theirs")
    loaded.unload()
    assert loaded.ask("kernel.saved_sigint_handler is theirs")


def test_reports_what_had_to_be_left_inside(loaded: Kernel) -> None:
    """A second load works on top of what the first one left inside somebody's wrapper."""
    loaded.run(PLAIN + "from ipykernel.iostream import OutStream\nput(OutStream, 'write')")
    for _ in range(3):
        loaded.unload()
        assert loaded.run("print('once')") == "once\n"
        loaded.load()
        child = loaded.wire.create()
        assert loaded.run("print('child')", subshell=child) == "child\n"
        assert loaded.run("print('main')") == "main\n"


def test_matplotlib_keeps_nothing_of_ours(loaded: Kernel) -> None:
    """Imported while the extension is loaded: pyplot copies the backend, modules keep loaders."""
    loaded.run("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1]);")
    loaded.unload()
    assert loaded.ask("'ipyext' in type(plt._backend_mod.show).__module__") is False
    assert loaded.ask("'exec_module' in vars(plt._pylab_helpers.__loader__)") is False
    loaded.run("plt.plot([1]); plt.show()")
    loaded.assert_nothing_of_ours()


@pytest.mark.parametrize("backend", ["", "%matplotlib inline\n"], ids=["by itself", "by a magic"])
def test_matplotlib_switched_on_in_a_child_keeps_nothing_of_ours(
    loaded: Kernel, backend: str
) -> None:
    """The settings of its inline backend are one object, and hold the shell that they came with."""
    child = loaded.wire.create()
    loaded.run(backend + "import matplotlib.pyplot as plt\nplt.plot([1]);", subshell=child)
    settings = "[s for s in ip.configurables if type(s).__name__ == 'InlineBackend']"
    loaded.run(f"ip = get_ipython(); (settings,) = {settings}")
    loaded.run("assert (settings.shell, settings.parent) == (ip, ip)")
    loaded.unload()
    loaded.assert_nothing_of_ours()
    shown = loaded.wire.execute("%config InlineBackend.figure_format = 'svg'\nplt.plot([1]);").of(
        "display_data"
    )
    assert "image/svg+xml" in shown[0]["data"]
