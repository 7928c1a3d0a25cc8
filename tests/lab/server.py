"""A Jupyter server with a home of its own, and the kernels that it starts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.wire import Wire

KERNEL_PYTHON = os.environ.get("IPYEXT_LAB_PYTHON", sys.executable)
LIVE = "live"  # the kernelspec that `ipyext install` writes
STOCK = "stock"  # the one of ipykernel itself
_URL = re.compile(r"http://127\.0\.0\.1:\d+")
_SETTINGS = {
    # No news, and no pop-ups over what is tested.
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # Output is there when it came, not when somebody scrolls to it.
    "notebook-extension/tracker": {"windowingMode": "none"},
}


class Server:
    """JupyterLab and Notebook 7 on loopback, with two kernelspecs of `IPYEXT_LAB_PYTHON`.

    The kernels may come from another environment than the server: JupyterLab itself needs
    ipykernel 6.5 or later.

    Args:
        install: what ``ipyext install`` is given before the server starts.
        environment: variables that the server and its kernels have in addition.

    Attributes:
        url: where it listens.
        lane: the major version of its kernels' ipykernel.
    """

    def __init__(
        self,
        install: Sequence[str] = ("--kernelspec", LIVE),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="ipyext-lab-")
        home = Path(self._home.name)
        self.notebooks = home / "notebooks"
        self.notebooks.mkdir()
        self._runtime = home / "runtime"
        self._env = {
            **{k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
            "HOME": str(home),
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "JUPYTER_PLATFORM_DIRS": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            **(environment or {}),
        }
        self._run(KERNEL_PYTHON, "-m", "ipyext.cli", "install", *install)
        self._run(KERNEL_PYTHON, "-m", "ipykernel", "install", "--user", "--name", STOCK)
        for name, value in _SETTINGS.items():
            extension, _, plugin = name.partition("/")
            folder = home / "config" / "lab" / "user-settings" / "@jupyterlab" / extension
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(value))
        version = "import ipykernel; print(ipykernel.version_info[0])"
        self.lane = int(self._run(KERNEL_PYTHON, "-c", version))
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={self.notebooks}"),
                *("--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
                "--LabApp.expose_app_in_browser=True",
                "--JupyterNotebookApp.expose_app_in_browser=True",
            ],
            env=self._env,
            cwd=self.notebooks,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log: list[str] = []
        self.url = self._first_url()
        self._reader = threading.Thread(target=self._read_on, daemon=True, name="server log")
        self._reader.start()

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self._env, cwd=self.notebooks, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _first_url(self) -> str:
        """Read the log until the server says where it listens."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.append(line)
            if found := _URL.search(line):
                return found[0]
        raise AssertionError("the server ended:\n" + "".join(self.log))

    def _read_on(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            self.log.extend(lines)

    def request(self, path: str, method: str = "GET") -> Any:
        """The answer of the server's REST interface."""
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def write(self, name: str, cells: list[str], kernel: str = LIVE) -> None:
        """A notebook of those code cells, for that kernelspec."""
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "metadata": {},
                    "execution_count": None,
                    "outputs": [],
                    "source": source,
                }
                for number, source in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"name": kernel, "display_name": kernel, "language": "python"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.notebooks / name).write_text(json.dumps(notebook))

    def client(self, notebook: str) -> Wire:
        """A client of our own, beside the browser, of the kernel of that notebook."""
        (session,) = (s for s in self.request("sessions") if s["path"] == notebook)
        file = self._runtime / f"kernel-{session['kernel']['id']}.json"
        client = Wire(json.loads(file.read_text()))
        client.hear()
        return client

    def end_kernels(self) -> None:
        """Ask every kernel to end, and wait until it has."""
        for kernel in self.request("kernels"):
            self.request(f"kernels/{kernel['id']}", "DELETE")

    def close(self) -> None:
        """End the server with its kernels."""
        try:
            self.end_kernels()
        finally:
            self._process.terminate()
            try:
                self._process.wait(30)
            finally:
                self._process.kill()  # nothing, if it has ended
                self._process.wait()
                self._reader.join(30)
            self._home.cleanup()
