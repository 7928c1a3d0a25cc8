"""jupyter_console, a front end for terminals, on a kernel that loads the extension by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wire import KernelProcess


def console(file: Path, *lines: str) -> str:
    """Type lines into a console that is connected to a running kernel; returns what it shows.

    The last one twice: the console takes any idle for that of its cell, and shows what then comes
    late with the next.
    """
    done = subprocess.run(
        [
            sys.executable,
            *("-W", "ignore", "-m", "jupyter_console", "--simple-prompt"),
            *("--existing", str(file)),
        ],
        input="".join(f"{line}\n" for line in [*lines, lines[-1]]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
        check=False,
        env={
            **os.environ,
            "TERM": "dumb",
            "IPYTHONDIR": str(file.parent),
            "JUPYTER_CONFIG_DIR": str(file.parent),
            "JUPYTER_PLATFORM_DIRS": "1",
        },
    )
    return done.stdout


@pytest.fixture
def autoloaded(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    process = start_kernel("--ext=ipyext")
    process.client()
    return process


def test_console(autoloaded: KernelProcess) -> None:
    shown = console(autoloaded.file, "print('prin' + 'ted')", "6 * 7")
    assert "printed" in shown
    assert "42" in shown


def test_console_runs_the_magics(autoloaded: KernelProcess) -> None:
    shown = console(autoloaded.file, "%subshell create tea", "%subshell list")
    assert "Created subshell tea" in shown
    assert "idle" in shown


def test_console_beside_a_busy_main(autoloaded: KernelProcess) -> None:
    """It connects, because kernel_info is answered, and shows what it is busy with."""
    kernel = autoloaded.client()
    loop = kernel.begin("while True: pass")
    shown = console(autoloaded.file, "%subshell")
    assert "busy" in shown
    kernel.control("interrupt_request")
    assert kernel.wait(loop)[0].content["ename"] == "KeyboardInterrupt"
