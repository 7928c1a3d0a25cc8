"""A home folder of its own for programs, with or without `ipyext install`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
TIMEOUT = 240.0  # seconds; a program that needs them all has failed


class Home:
    """Where programs find their configuration, and where the kernels that they start find theirs.

    The kernelspec is that of the environment which runs the tests, `python3`: the stock one.
    """

    def __init__(self, path: Path, *, installed: bool) -> None:
        path.mkdir(parents=True)
        self.path = path
        self.installed = installed
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "IPYTHON", "XDG", "IPYEXT", "PYTEST"))
        }
        self.env = {
            **kept,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(path),
            "LC_ALL": "C.UTF-8",
            "JUPYTER_PLATFORM_DIRS": "1",
            "MPLCONFIGDIR": str(path.parent / "matplotlib"),  # its cache of fonts takes a while
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        if installed:
            self.run("ipyext", "install")

    def run(self, program: str, *arguments: str, succeeds: bool = True) -> str:
        """Run a program of this environment to its end, in this home; returns what it says."""
        done = subprocess.run(
            [self.program(program), *arguments],
            cwd=self.path,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert (done.returncode == 0) == succeeds, done.stdout
        return done.stdout

    def program(self, name: str) -> str:
        """The path of a program of this environment, never one from elsewhere on the PATH."""
        found = shutil.which(name, path=str(BIN))
        assert found is not None, f"{BIN} has no {name}: pip install --group fronts"
        return found
