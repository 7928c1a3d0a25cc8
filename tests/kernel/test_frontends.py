"""Front ends that know nothing of the extension, on kernels that load it by themselves."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupyter_kernel_test
import nbclient
import nbformat
import psutil
import pytest
from jupyter_client.manager import KernelManager
from jupyter_kernel_test.msgspec_v5 import validate_message

KERNEL = "ipyext-autoloaded"
TIMEOUT = 30.0


@pytest.fixture(scope="module", autouse=True)
def kernelspec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A kernelspec that loads the extension, and a home that is not the developer's."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "share" / "kernels" / KERNEL
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--ext=ipyext"]
    spec = {"argv": argv, "display_name": "autoloaded", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(home / "share"))
        patch.setenv("JUPYTER_CONFIG_DIR", str(home / "config"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        yield


class TestKernel(jupyter_kernel_test.KernelTests):
    """Jupyter's own suite for kernels."""

    kernel_name = KERNEL
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = [{"text": "zi", "matches": {"zip"}}]  # noqa: RUF012
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n"]  # noqa: RUF012
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]  # noqa: RUF012
    invalid_code_samples = ["import = 7q"]  # noqa: RUF012
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = [{"code": "6*7", "result": "42"}, {"code": "1+1", "result": "2"}]  # noqa: RUF012
    code_display_data = [  # noqa: RUF012
        {"code": "import IPython\ndisplay(IPython.display.HTML('x'))", "mime": "text/html"}
    ]
    code_history_pattern = "1?1"
    supported_history_operations = ("tail", "search", "range")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"

    def execute_helper(
        self, code: str, timeout: float = TIMEOUT, **options: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """As upstream's, which gives every message a tenth of a second."""
        msg_id = self.kc.execute(code=code, **options)
        reply = self.get_non_kernel_info_reply(timeout=timeout)
        assert reply is not None
        validate_message(reply, "execute_reply", msg_id)
        found: list[dict[str, Any]] = []
        while True:
            message = self.kc.get_iopub_msg(timeout=timeout)
            validate_message(message, message["msg_type"], msg_id)
            if message["content"] == {"execution_state": "idle"}:
                break
            found.append(message)
        assert found[0]["content"] == {"execution_state": "busy"}
        return reply, [m for m in found[1:] if m["msg_type"] != "execute_input"]

    def history_helper(
        self, execute_first: list[str], timeout: float | None = TIMEOUT, **options: Any
    ) -> dict[str, Any]:
        """As upstream's; IPython calls the session that is running 0, whatever its number is."""
        reply: dict[str, Any] = super().history_helper(execute_first, timeout, **options)
        if options["hist_access_type"] == "range":
            found = reply["content"]["history"]
            reply["content"]["history"] = [(options["session"], *row[1:]) for row in found]
        return reply

    def test_it_is_loaded(self) -> None:
        self.flush_channels()
        _, output = self.execute_helper("'ipyext' in get_ipython().extension_manager.loaded")
        assert output[0]["content"]["data"]["text/plain"] == "True"


# -- nbclient --------------------------------------------------------------------------------------


@pytest.fixture
def run_notebook(tmp_path: Path) -> Callable[..., list[Any]]:
    def run(*cells: str, **options: Any) -> list[Any]:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
        )
        client = nbclient.NotebookClient(
            notebook,
            timeout=60,
            kernel_name=KERNEL,
            resources={"metadata": {"path": str(tmp_path)}},
            **options,
        )
        client.execute()
        return list(notebook.cells)

    return run


def text_of(cell: Any) -> str:
    return "".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    )


def test_a_notebook(run_notebook: Callable[..., list[Any]]) -> None:
    cells = run_notebook(
        "x = 20\nprint('printed')", "x + 1", "import asyncio\nawait asyncio.sleep(0, 'a')"
    )
    assert [text_of(cell) for cell in cells] == ["printed\n", "21", "'a'"]
    assert [cell.execution_count for cell in cells] == [1, 2, 3]


def test_a_notebook_with_subshells(run_notebook: Callable[..., list[Any]]) -> None:
    cells = run_notebook(
        "import threading; go = threading.Event()",
        "%%subshell work\nprint('from work')\n'result of work'",
        "%%subshell work --detach --job job\ngo.wait()\n'detached'",
        "%subshell",
        "go.set(); job.result(30)",
        "%subshell delete work",
    )
    assert text_of(cells[1]) == "from work\n'result of work'"
    assert "work" in text_of(cells[3])
    assert text_of(cells[4]) == "'detached'"
    assert text_of(cells[5]) == "Deleted 1 subshell.\n"


def test_a_notebook_with_an_error(run_notebook: Callable[..., list[Any]]) -> None:
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="ZeroDivisionError"):
        run_notebook("%%subshell\n1/0")
    cells = run_notebook("%%subshell\n1/0", "'goes on'", allow_errors=True)
    assert [output.output_type for output in cells[0].outputs] == ["error"]
    assert text_of(cells[1]) == "'goes on'"


def test_a_notebook_that_loads_and_unloads(run_notebook: Callable[..., list[Any]]) -> None:
    cells = run_notebook(
        "%unload_ext ipyext", "'stock'", "%load_ext ipyext", "%%subshell\n'extended'"
    )
    shown = [text_of(cell) for cell in cells]
    assert [shown[1], shown[3]] == ["'stock'", "'extended'"]
    # Where front ends cannot know of it by themselves they are told, and else nothing is said.
    for text, word in ((shown[0], "unloaded"), (shown[2], "loaded")):
        assert text == "" or text.startswith(f"ipyext is {word}")


# -- jupyter_client --------------------------------------------------------------------------------


def test_a_kernel_manager_restarts_and_interrupts() -> None:
    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel()
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        msg_id = client.execute("print('begun')\nwhile True: pass")
        while client.get_iopub_msg(timeout=TIMEOUT)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=TIMEOUT)
        while reply["parent_header"]["msg_id"] != msg_id:  # what wait_for_ready asked
            reply = client.get_shell_msg(timeout=TIMEOUT)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive("%subshell create", timeout=TIMEOUT)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
        manager.cleanup_resources()


def test_a_kernel_manager_restarts_what_is_stopped() -> None:
    """It ends by itself, and the new kernel is debugged as any."""
    manager = KernelManager(kernel_name=KERNEL)
    manager.shutdown_wait_time = 600.0  # it kills nothing
    manager.start_kernel()
    client = manager.client()

    def control(command: str, **arguments: Any) -> dict[str, Any]:
        request = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
        sent = client.session.msg("debug_request", request)
        client.control_channel.send(sent)
        reply = client.get_control_msg(timeout=TIMEOUT)
        assert reply["parent_header"]["msg_id"] == sent["header"]["msg_id"]
        found: dict[str, Any] = reply["content"]
        assert found["success"], found
        return found.get("body") or {}

    code = "a = 1\nb = 2\nb"
    try:
        client.start_channels()
        for _ in range(2):
            client.wait_for_ready(timeout=60)
            control("initialize", adapterID="")
            control("attach")
            path = control("dumpCell", code=code)["sourcePath"]
            lines = {"source": {"path": path}, "breakpoints": [{"line": 2}]}
            assert control("setBreakpoints", **lines)["breakpoints"][0]["verified"]
            client.execute(code)
            while True:
                message = client.get_iopub_msg(timeout=TIMEOUT)
                if message["content"].get("event") == "stopped":
                    break
            thread = message["content"]["body"]["threadId"]
            (top, *_) = control("stackTrace", threadId=thread)["stackFrames"]
            assert top["line"] == 2
            manager.restart_kernel()
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
        manager.cleanup_resources()


def test_a_kernel_manager_restarts_while_children_loop(tmp_path: Path) -> None:
    """As fast as without them, and the old process ends by itself: what it has to do it does."""
    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel()
    client = manager.client()
    left = tmp_path / "left"
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)

        def run(code: str) -> dict[str, Any]:
            reply = client.execute_interactive(code, timeout=TIMEOUT, output_hook=shown.append)
            assert reply["content"]["status"] == "ok", shown
            return dict(reply["content"])

        shown: list[Any] = []
        run(f"import atexit, os, pathlib\natexit.register(pathlib.Path({str(left)!r}).touch)")
        run("import threading\nbegun = threading.Barrier(4, timeout=30)")
        for name in "abc":
            run(f"%%subshell {name} --detach\nbegun.wait()\nwhile True: pass")
        run("place = begun.wait()")
        shown.clear()
        run("print(os.getpid())")
        (pid,) = [int(m["content"]["text"]) for m in shown if m["msg_type"] == "stream"]
        since = time.monotonic()
        manager.restart_kernel()
        took = time.monotonic() - since
        assert not psutil.pid_exists(pid)
        assert left.exists(), "it was killed"
        assert took < 2.0
        client.wait_for_ready(timeout=60)
        run("%subshell create")
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
        manager.cleanup_resources()
