"""jupyter-resource-usage: the server asks a kernel what it uses, while the kernel is busy."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fronts.home import Home
from tests.wire import Wire

pytestmark = pytest.mark.timeout(600)
TIMEOUT = 120.0


class Server:
    """`jupyter server`, with the extension for usage."""

    def __init__(self, home: Home) -> None:
        self._home = home
        arguments = ["--no-browser", "--port=0", "--ip=127.0.0.1", "--allow-root"]
        self._log = (home.path / "server.log").open("wb")
        self._process = subprocess.Popen(
            [home.program("jupyter-server"), *arguments],
            cwd=home.path,
            env=home.env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._runtime = home.path / ".local" / "share" / "jupyter" / "runtime"

    def connection(self, name: str) -> Any:
        """The content of a file that the server or a kernel writes when it can be reached."""
        end = time.monotonic() + TIMEOUT
        while True:
            with contextlib.suppress(StopIteration, json.JSONDecodeError):
                path = next(self._home.path.rglob(name))
                return json.loads(path.read_text())
            assert time.monotonic() < end, f"no {name}"
            assert self._process.poll() is None, "the server has ended"
            time.sleep(0.05)

    def ask(self, path: str, method: str = "GET") -> Any:
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return self._ask(path, method)
            except urllib.error.URLError as error:
                # The file with its address may be there before it listens.
                refused = isinstance(error.reason, ConnectionRefusedError)
                if not refused or time.monotonic() > end or self._process.poll() is not None:
                    raise
            time.sleep(0.05)

    def _ask(self, path: str, method: str) -> Any:
        found = self.connection(f"jpserver-{self._process.pid}.json")
        request = urllib.request.Request(
            f"{found['url']}{path}",
            method=method,
            headers={"Authorization": f"token {found['token']}"},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return json.loads(answer.read() or "null")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(TIMEOUT)
        self._log.close()


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    started = Server(home)
    yield started
    started.close()


def test_usage_of_a_busy_kernel(server: Server) -> None:
    kernel_id = server.ask("api/kernels", "POST")["id"]
    try:
        wire = Wire(server.connection(f"kernel-{kernel_id}.json"))
        wire.hear()
        assert wire.execute("'ipyext' in get_ipython().extension_manager.loaded").result == "True"
        loop = wire.begin("import os\nwhile True: pass")
        content = server.ask(f"api/metrics/v1/kernel_usage/get_usage/{kernel_id}")["content"]
        pid = wire.execute("%%subshell\nos.getpid()").result
        assert content["pid"] == int(str(pid))
        assert content["kernel_memory"] > 0
        wire.control("interrupt_request")
        assert wire.wait(loop)[0].content["ename"] == "KeyboardInterrupt"
        wire.close()
    finally:
        with contextlib.suppress(urllib.error.HTTPError):
            server.ask(f"api/kernels/{kernel_id}", "DELETE")
