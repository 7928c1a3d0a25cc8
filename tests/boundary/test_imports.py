"""Import hygiene, each in a fresh process: what is imported is imported for everybody."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable

import pytest

import ipyext.protocol
from tests.wire import KernelProcess, Wire

PROTOCOL = [
    module.name for module in pkgutil.walk_packages(ipyext.protocol.__path__, "ipyext.protocol.")
]
Start = Callable[..., KernelProcess]
FOREIGN = (
    "ipykernel",
    "IPython",
    "zmq",
    "tornado",
    "traitlets",
    "jupyter_client",
    "wrapt",
    "debugpy",
)


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has imported for `code`, beyond its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys, json; before = set(sys.modules)\n"
                f"{code}\n"
                "print(json.dumps(sorted(set(sys.modules) - before)))"
            ),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def packages(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def test_importing_the_package_imports_nothing() -> None:
    found = modules_after("import ipyext")
    assert packages(found) & {*FOREIGN, "ipyext_patches"} == set()
    assert {name for name in found if name.startswith("ipyext.")} == set()


def test_there_are_protocol_modules() -> None:
    assert len(PROTOCOL) >= 2


@pytest.mark.parametrize("module", PROTOCOL)
def test_protocol_modules_do_no_io(module: str) -> None:
    found = modules_after(f"import {module}")
    # `dataclasses` and `enum` import threads and sockets on no version of Python
    assert packages(found) & {*FOREIGN, "threading", "socket", "asyncio", "ipyext_patches"} == set()


def test_the_front_door_imports_no_target() -> None:
    found = modules_after("import ipyext_patches")
    assert packages(found) & {"ipykernel", "IPython", "zmq", "debugpy"} == set()
    assert {name for name in found if name.startswith("ipyext_patches.targets")} == set()


def test_the_version_check_imports_no_target() -> None:
    found = modules_after(
        "import ipyext_patches.versions as versions\n"
        "versions.metadata.version = lambda name: '0.0.1'\n"
        "class Shell: kernel = object()\n"
        "from ipyext_patches import find_host, UnsupportedTargetError\n"
        "try: find_host(Shell())\n"
        "except UnsupportedTargetError as error: assert 'version 0.0.1' in str(error)\n"
        "else: raise SystemExit('not refused')"
    )
    assert packages(found) & {"ipykernel", "IPython", "zmq", "debugpy"} == set()
    assert {name for name in found if name.startswith("ipyext_patches.targets")} == set()


def test_loading_does_not_import_what_only_tables_need() -> None:
    assert "tabulate" not in packages(modules_after("import ipyext.extension"))


def test_a_kernel_that_does_not_load_it_imports_nothing_of_it(start_kernel: Start) -> None:
    """It is installed beside every test; only %load_ext brings it in."""
    wire = start_kernel().client()
    answer = wire.execute("import sys; print([m for m in sys.modules if m.startswith('ipyext')])")
    assert answer.text() == "[]\n"


IMPORTING = """
import importlib, sys, threading, time
from importlib.machinery import PathFinder
name = 'IPython.core.magics.execution'
sys.modules.pop(name, None)
inside, main = threading.Event(), threading.main_thread().ident
def main_waits():
    frame = sys._current_frames()[main]
    while frame is not None and frame.f_code.co_name != '_imported':
        frame = frame.f_back
    return frame is not None
class Slow:
    def find_spec(self, wanted, path=None, target=None):
        if wanted != name:
            return None
        spec = PathFinder.find_spec(wanted, path)
        execute = spec.loader.exec_module
        def exec_module(module):
            inside.set()
            end = time.monotonic() + 20
            while not main_waits() and time.monotonic() < end:
                time.sleep(0.001)  # nothing tells of it
            execute(module)
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=importlib.import_module, args=(name,))
thread.start(); inside.wait()
"""


def test_loading_waits_for_what_somebody_imports(start_kernel: Start) -> None:
    wire = start_kernel().client()
    assert wire.execute(IMPORTING).status == "ok"
    answer = wire.execute("get_ipython().extension_manager.load_extension('ipyext')")
    assert answer.status == "ok", answer.content
    assert wire.execute("thread.join()\n%prun -q pass").status == "ok"
    code = "import ipyext; 'cells.profiled' in [one.patch.id for one in ipyext.patches()]"
    assert wire.execute(code).result == "True"


# What a load may import, beside the standard library. The kernel has nearly all of the last four
# already: a magic decorator, two exceptions, versions, and what an interrupt needs at once, which
# ipykernel 6 and newer clients import by themselves.
LOADED = {"ipyext", "ipyext_patches", "wrapt", "IPython", "zmq", "packaging", "psutil"}


def modules_of(wire: Wire) -> set[str]:
    """The modules that the kernel process has imported."""
    return set(
        json.loads(wire.execute("import json, sys; print(json.dumps([*sys.modules]))").text())
    )


@pytest.mark.parametrize("when", ["in a cell", "at the start"])
def test_what_loading_imports(start_kernel: Start, when: str) -> None:
    """No debugger, no completion, no tables, no numbers: every kernel's start would pay for it."""
    wire = start_kernel().client()
    before = modules_of(wire)
    if when == "in a cell":
        assert wire.execute("%load_ext ipyext").status == "ok"
    else:
        wire = start_kernel("--ext=ipyext.autoload").client()
    modules = modules_of(wire) - before
    debugger = {name for name in modules if name.startswith("ipyext.debug.")}
    assert debugger == {f"ipyext.debug.{name}" for name in ("capabilities", "debugging", "hooks")}
    assert "ipyext_patches.targets.debugger" not in modules
    found = packages(modules)
    assert {"ipyext", "ipyext_patches", "wrapt"} <= found
    assert found - set(sys.stdlib_module_names) - LOADED == set()
