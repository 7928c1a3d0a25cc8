"""G7: it refuses rather than guesses, before anything is changed, and says what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.boundary.stock import Kernel
from tests.boundary.test_failing_load import load_fails, works_loaded
from tests.wire import KernelProcess

FAKE = """
import importlib.metadata as metadata
real = metadata.version
metadata.version = lambda name: {{{name!r}: {found!r}}}.get(name) or real(name)
"""

OUTSIDE = [
    ("ipykernel", "5.4.3", "ipykernel >=5.5.6,<5.6"),
    ("ipykernel", "6.0.3", "ipykernel >=5.5.6,<5.6"),
    ("ipykernel", "7.0.0", ">=7.0.1"),
    ("ipykernel", "8.1", ">=7.0.1"),
    ("ipython", "7.16", "ipython >=7.34,<10"),
    ("ipython", "10.2", "ipython >=7.34,<10"),
    ("pyzmq", "24.0", "pyzmq >=25"),
    ("wrapt", "1.17.2", "wrapt >=2.4,<3"),
]


@pytest.mark.parametrize(("name", "found", "expected"), OUTSIDE)
def test_a_version_outside_the_checked_range(
    probed: Kernel, name: str, found: str, expected: str
) -> None:
    probed.run(FAKE.format(name=name, found=found))
    text = load_fails(probed, "nothing was changed", name, f"version {found}", expected)
    assert re.search(r"Install a checked .*\(pip install (?:--upgrade )?'[^']+'\)", text), text
    probed.run("metadata.version = real")
    probed.assert_stock()
    works_loaded(probed)


def test_a_distribution_that_is_not_there(probed: Kernel) -> None:
    probed.run(
        "import importlib.metadata as metadata\n"
        "real = metadata.version\n"
        "def version(name):\n"
        "    if name == 'wrapt': raise metadata.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "metadata.version = version"
    )
    load_fails(probed, "wrapt is not installed", "pip install")
    probed.run("metadata.version = real")
    probed.assert_stock()


def test_a_python_outside_the_checked_range(probed: Kernel) -> None:
    probed.run(
        "import sys\nreal = sys.version_info\n"
        "sys.version_info = type('Version', (tuple,), {'major': 3, 'minor': 9})((3, 9, 1))"
    )
    answer = probed.wire.execute("%load_ext ipyext", stop_on_error=False)
    probed.run("sys.version_info = real")
    assert "Python is version 3.9.1" in answer.text("stderr")
    probed.assert_stock()


def test_the_version_is_checked_before_a_target_is_imported(probed: Kernel) -> None:
    probed.run(FAKE.format(name="ipykernel", found="8.0"))
    load_fails(probed)
    imported = probed.ask("[m for m in __import__('sys').modules if 'ipyext_patches.targets' in m]")
    assert imported == []


# What somebody may have done to a target, and the name of the target in the message.
SHAPES = {
    "deleted": (
        (
            "cls = next(c for c in type(kernel).__mro__ if '_abort_queues' in vars(c))\n"
            "stock = cls._abort_queues\n"
            "del cls._abort_queues"
        ),
        "cls._abort_queues = stock",
        "_abort_queues",
    ),
    "other parameters": (
        (
            "from ipykernel.iostream import OutStream\n"
            "stock = OutStream.write\n"
            "OutStream.write = lambda self, text, flush: stock(self, text)"
        ),
        "OutStream.write = stock",
        "OutStream.write",
    ),
    "not callable": (
        (
            "cls = next(c for c in type(kernel).__mro__ if 'do_execute' in vars(c))\n"
            "kernel.__dict__['do_execute'] = property()"
        ),
        "del kernel.__dict__['do_execute']",
        "do_execute",
    ),
    "renamed arguments": (
        (
            "stock = type(kernel)._forward_input\n"
            "type(kernel)._forward_input = lambda self, stdin=False: stock(self, stdin)"
        ),
        "type(kernel)._forward_input = stock",
        "_forward_input",
    ),
}


def load_in_a_broken_kernel(kernel: Kernel, change: str, back: str) -> tuple[str, str]:
    """Break, load and mend in one cell, because a broken kernel may run no other."""
    kernel.run(
        "kernel = get_ipython().kernel\ncaught = None\ntry:\n"
        + textwrap.indent(change, "    ")
        + "\n    get_ipython().run_line_magic('load_ext', 'ipyext')\n"
        "except BaseException as error:\n"
        "    caught = [type(error).__name__, str(error)]\n"
        "finally:\n" + textwrap.indent(back, "    ")
    )
    name, message = kernel.ask("caught") or ("loaded", "")
    kernel.displace_the_last_error()
    return name, message


@pytest.mark.parametrize("case", SHAPES)
def test_a_target_of_an_unexpected_shape(probed: Kernel, case: str) -> None:
    change, back, target = SHAPES[case]
    name, message = load_in_a_broken_kernel(probed, change, back)
    assert name == "UsageError", message
    assert "nothing was changed" in message
    assert target in message
    probed.assert_stock()
    works_loaded(probed)
    probed.assert_stock()


def test_all_targets_are_verified_before_the_first_change(probed: Kernel) -> None:
    name, _ = load_in_a_broken_kernel(
        probed,
        "import ipyext_patches.ledger as ledger\n"
        "applied = []\n"
        "for cls in (ledger.SetAttribute, ledger.SetItem, ledger.Wrap, ledger.Action):\n"
        "    cls.apply = lambda self: applied.append(self)\n"
        "stock = type(kernel)._restore_input\n"
        "type(kernel)._restore_input = None",
        "type(kernel)._restore_input = stock",
    )
    assert name == "UsageError"
    assert probed.ask("len(applied)") == 0


def run_ipython(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code],
        env={**os.environ, "IPYTHONDIR": str(tmp_path), "TERM": "dumb"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_plain_ipython(tmp_path: Path) -> None:
    done = run_ipython(tmp_path, "%load_ext ipyext\nprint('goes on')")
    said = done.stdout + done.stderr
    assert "ipyext extends Jupyter kernels and there is none here" in said
    assert "Traceback" not in said


IN_PROCESS = """
from ipykernel.inprocess.manager import InProcessKernelManager
manager = InProcessKernelManager()
manager.start_kernel()
shell = manager.kernel.shell
from ipyext import load_ipython_extension
from IPython.core.error import UsageError
before = dict(vars(type(manager.kernel)))
try:
    load_ipython_extension(shell)
except UsageError as error:
    print("refused:", error)
after = vars(type(manager.kernel))
print("changed:", [name for name in after if after[name] is not before.get(name)])
"""


def test_an_in_process_kernel(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS],
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    refused = next((x for x in done.stdout.splitlines() if x.startswith("refused:")), done.stderr)
    assert "not that of a kernel with front ends (an in-process or embedded kernel" in refused
    assert "Start the kernel the usual way" in refused
    assert "changed: []" in done.stdout


def test_a_kernel_of_another_make(tmp_path: Path) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from IPython.core.error import UsageError\n"
        "import ipyext\n"
        "shell = InteractiveShell.instance()\n"
        "class Kernel: pass\n"
        "shell.kernel = Kernel()\n"
        "try:\n    ipyext.load_ipython_extension(shell)\n"
        "except UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "this kernel is __main__.Kernel" in done.stdout, done.stderr
    assert "Use a kernel of the ipykernel package" in done.stdout


def test_a_refusal_while_the_kernel_starts(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path
) -> None:
    """From a profile or --ext: the message is in the log and the kernel is there, stock."""
    found = version("pyzmq")
    (tmp_path / "sitecustomize.py").write_text(
        FAKE.format(name="pyzmq", found="99.1"), encoding="utf-8"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    process = start_kernel("--ext", "ipyext", env={"PYTHONPATH": path})
    wire = process.client()
    assert wire.execute("print(1)").text() == "1\n"
    log = process.log.read_text()
    assert "ipyext was not loaded and nothing was changed: pyzmq is version 99.1" in log
    wire.execute(
        "import sitecustomize\n"
        "sitecustomize.metadata.version = sitecustomize.real\n"
        f"assert sitecustomize.metadata.version('pyzmq') == {found!r}"
    )
    assert wire.execute("%load_ext ipyext").status == "ok"
    wire.check()
