"""`ipyext install`, as kernels see it: started by Jupyter through what it has written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from tests.conftest import LANE
from tests.dap import JupyterDap
from tests.wire import KernelProcess, Wire

Start = Callable[..., KernelProcess]
LOADED = "import sys; 'ipyext.extension' in sys.modules"


class Home:
    """A home of its own: for the command, for kernels, and for IPython."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.profile = folder / "ipython" / "profile_default"
        self.env = {
            "HOME": str(folder),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_DATA_DIR": str(folder / "jupyter"),
            "JUPYTER_CONFIG_DIR": str(folder / "jupyter-config"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_PLATFORM_DIRS": "1",
        }

    def run(self, *command: str, **env: str) -> str:
        """Run a module of this Python; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env={**os.environ, **self.env, **env},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, *arguments: str) -> None:
        self.run("ipyext.cli", "install", *arguments)

    def config(self, name: str, *lines: str) -> None:
        """Write a configuration file of the default profile."""
        self.profile.mkdir(parents=True, exist_ok=True)
        (self.profile / name).write_text("\n".join(["c = get_config()", *lines, ""]))

    def module(self, name: str, *lines: str) -> dict[str, str]:
        """Write a module; returns the environment in which kernels find it."""
        (self.folder / f"{name}.py").write_text("\n".join([*lines, ""]))
        rest = filter(None, [os.environ.get("PYTHONPATH")])
        return {"PYTHONPATH": os.pathsep.join([str(self.folder), *rest])}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def check_loaded(kernel: Wire) -> None:
    """It is there before the first cell, and works."""
    features = kernel.control("kernel_info_request")["supported_features"]
    assert {"kernel subshells", "debugger"} <= set(features)
    child = kernel.create()
    loop = kernel.begin("go = False\nwhile not go: pass")
    assert kernel.execute("go = True; 'child'", subshell=child).result == "'child'"
    assert kernel.wait(loop)[0].status == "ok"


def check_stock(kernel: Wire) -> None:
    """Nothing is loaded, and it can be, by hand, and come off again."""
    assert kernel.execute(LOADED).result == "False"
    assert kernel.execute("%load_ext ipyext").status == "ok"
    assert kernel.execute(LOADED).result == "True"
    assert kernel.execute("'child'", subshell=kernel.create()).result == "'child'"
    assert kernel.execute("%unload_ext ipyext").status == "ok"


# -- profiles --------------------------------------------------------------------------------------


def test_kernels_of_the_profile_load_it(start_kernel: Start, home: Home) -> None:
    home.install()
    process = start_kernel(env=home.env)
    kernel = process.client()
    check_loaded(kernel)
    assert "already loaded" in kernel.execute("%load_ext ipyext").text()
    assert "Traceback" not in process.log.read_text()
    assert kernel.execute("%unload_ext ipyext").status == "ok"
    assert kernel.execute("%load_ext ipyext").status == "ok"
    home.install("--uninstall")
    assert start_kernel(env=home.env).client().execute(LOADED).result == "False"


def test_plain_ipython_does_not(home: Home) -> None:
    home.install()
    code = "import sys; print('found', [m for m in sys.modules if m.startswith('ipyext')])"
    assert "found []" in home.run("IPython", "--quick", "-c", code)
    assert "found []" in home.run("IPython", "-c", code)


def test_what_else_is_configured_is_loaded_too(start_kernel: Start, home: Home) -> None:
    for name in ("first", "second", "third", "fourth"):
        env = home.module(name, "def load_ipython_extension(shell): shell.user_ns[__name__] = 1")
    home.config("ipython_config.py", "c.InteractiveShellApp.extensions = ['first']")
    home.config("ipython_kernel_config.py", "c.IPKernelApp.extensions = ('second', 'third')")
    home.install()
    kernel = start_kernel("--ext", "fourth", env={**home.env, **env}).client()
    # A list for IPKernelApp counts over one for InteractiveShellApp: IPython's rule, not ours.
    known = "[name for name in ('first', 'second', 'third', 'fourth') if name in globals()]"
    assert kernel.execute(known).result == "['second', 'third', 'fourth']"
    check_loaded(kernel)


IPYTHON, KERNEL = "ipython_config.py", "ipython_kernel_config.py"
SHELL_APP, KERNEL_APP = "c.InteractiveShellApp.", "c.IPKernelApp."
JSON = '{"IPKernelApp": {"extensions": %s}}'
# What is configured, in the default profile, before the command is run, what a kernel is started
# with, and which extensions a kernel loads then, in this order.
CONFIGURED: dict[str, tuple[dict[str, str], tuple[str, ...], list[str]]] = {
    "appended for shells": (
        {IPYTHON: SHELL_APP + "extensions.append('one')"},
        (),
        ["one"],
    ),
    "appended for shells, in the kernel's file": (
        {KERNEL: SHELL_APP + "extensions.append('one')"},
        (),
        ["one"],
    ),
    "appended for shells in both files": (
        {
            IPYTHON: SHELL_APP + "extensions.append('one')",
            KERNEL: SHELL_APP + "extensions.append('two')",
        },
        (),
        ["one", "two"],
    ),
    "appended for all of IPython": (
        {IPYTHON: "c.BaseIPythonApplication.extensions.append('one')"},
        (),
        ["one"],
    ),
    "extended": ({IPYTHON: SHELL_APP + "extensions.extend(['one', 'two'])"}, (), ["one", "two"]),
    "prepended": ({IPYTHON: SHELL_APP + "extensions.prepend(['one', 'two'])"}, (), ["one", "two"]),
    "inserted": ({IPYTHON: SHELL_APP + "extensions.insert(0, 'one')"}, (), ["one"]),
    "appended for kernels": ({KERNEL: KERNEL_APP + "extensions.append('one')"}, (), ["one"]),
    "a string": ({KERNEL: KERNEL_APP + "extensions = 'one'"}, (), ["one"]),
    "a tuple": ({KERNEL: KERNEL_APP + "extensions = ('one', 'two')"}, (), ["one", "two"]),
    "a list counts over what is appended": (
        {
            IPYTHON: SHELL_APP + "extensions.append('one')",
            KERNEL: KERNEL_APP + "extensions = ['two']",
        },
        (),
        ["two"],
    ),
    "appended to a list": (
        {
            IPYTHON: SHELL_APP + "extensions = ['one']",
            KERNEL: KERNEL_APP + "extensions.append('two')",
        },
        (),
        ["one", "two"],
    ),
    "JSON": (
        {
            KERNEL: KERNEL_APP + "extensions = ['one']",
            "ipython_kernel_config.json": JSON % '["two"]',
        },
        (),
        ["two"],
    ),
    "options": (
        {IPYTHON: SHELL_APP + "extensions.append('one')"},
        ("--IPKernelApp.extensions=two", "--ext", "three"),
        ["two", "three"],
    ),
    "extra ones": (
        {
            IPYTHON: SHELL_APP + "extensions.append('one')",
            KERNEL: KERNEL_APP + "extra_extensions.append('two')",
        },
        (),
        ["one", "two"],
    ),
    "names of ours used for something else": (
        {KERNEL: SHELL_APP + "extensions.append('one')\nc = get_config = configure = None"},
        (),
        ["one"],
    ),
    "a file of another profile": (
        {KERNEL: "load_subconfig('more.py')", "more.py": SHELL_APP + "extensions.append('one')"},
        (),
        ["one"],
    ),
    "named by people, too": (
        {KERNEL: KERNEL_APP + "extensions = ['one', 'ipyext.autoload', 'ipyext']"},
        (),
        ["one"],
    ),
}


@pytest.mark.parametrize("by_hand", [False, True], ids=["installed", "by hand"])
@pytest.mark.parametrize(("files", "options", "loaded"), CONFIGURED.values(), ids=CONFIGURED)
def test_whatever_is_configured(
    start_kernel: Start,
    home: Home,
    files: dict[str, str],
    options: tuple[str, ...],
    loaded: list[str],
    by_hand: bool,
) -> None:
    """It is loaded, and all else that the configuration loads, in its order."""
    for name in ("one", "two", "three"):
        env = home.module(
            name,
            "def load_ipython_extension(shell):",
            "    shell.user_ns.setdefault('order', []).append(__name__)",
        )
    home.profile.mkdir(parents=True)
    for name, text in files.items():
        (home.profile / name).write_text(text)
    if by_hand:  # as docs/load-in-every-kernel.md has it
        with (home.profile / KERNEL).open("a") as file:
            file.write("\nfrom ipyext.autoload import configure\n\nconfigure()\n")
    else:
        home.install()
    process = start_kernel(*options, env={**home.env, **env})
    kernel = process.client()
    assert kernel.execute("order").result == repr(loaded)
    assert kernel.execute(LOADED).result == "True"
    assert "Traceback" not in process.log.read_text()


def test_installed_in_the_profile_and_in_the_environment(start_kernel: Start, home: Home) -> None:
    """The environment's file is read before the user's, which appends for shells."""
    home.config(KERNEL, SHELL_APP + "extensions.append('autoreload')")
    home.install()
    home.install("--prefix", str(home.folder))
    with (home.folder / "etc" / "ipython" / IPYTHON).open("w") as file:
        file.write(SHELL_APP + "extensions.append('autoreload')")
    env = home.module("sitecustomize", "import sys", f"sys.prefix = {str(home.folder)!r}")
    process = start_kernel(env={**home.env, **env})
    check_loaded(process.client())
    assert "already loaded" in process.client().execute("%load_ext autoreload").text()
    assert "Traceback" not in process.log.read_text()


@pytest.mark.parametrize("section", ["InteractiveShellApp", "IPKernelApp"])
@pytest.mark.parametrize("name", [IPYTHON, KERNEL])
def test_lists_of_others_are_joined(
    start_kernel: Start, home: Home, section: str, name: str
) -> None:
    env = home.module("other", "def load_ipython_extension(shell): shell.user_ns['other'] = 1")
    home.config(name, f"c.{section}.extensions = ['other']")
    home.install()
    kernel = start_kernel(env={**home.env, **env}).client()
    assert kernel.execute("other").result == "1"
    assert kernel.execute(LOADED).result == "True"


def test_it_is_loaded_before_code_of_the_profile(start_kernel: Start, home: Home) -> None:
    home.install()
    (home.profile / "startup").mkdir()
    (home.profile / "startup" / "00.py").write_text("import ipyext; ready = ipyext.subshells()")
    kernel = start_kernel(env=home.env).client()
    assert kernel.execute("len(ready)").result == "1"


def test_all_kernels_of_an_environment(start_kernel: Start, home: Home) -> None:
    home.install("--prefix", str(home.folder))
    env = home.module("sitecustomize", "import sys", f"sys.prefix = {str(home.folder)!r}")
    check_loaded(start_kernel(env={**home.env, **env}).client())


def test_an_environment_without_it(start_kernel: Start, home: Home) -> None:
    home.config("ipython_kernel_config.py", "c.InteractiveShellApp.exec_lines = ['mine = 1']")
    home.install()
    env = home.module("sitecustomize", "import sys; sys.modules['ipyext'] = None")
    process = start_kernel(env={**home.env, **env})
    kernel = process.client()
    assert kernel.execute("mine").result == "1"
    assert "Traceback" not in process.log.read_text()
    assert "load" not in process.log.read_text()


def test_a_kernel_that_it_does_not_fit(start_kernel: Start, home: Home) -> None:
    home.install()
    env = home.module(
        "sitecustomize",
        "from importlib import metadata",
        "real = metadata.version",
        "metadata.version = lambda name: '99' if name == 'pyzmq' else real(name)",
    )
    process = start_kernel(env={**home.env, **env})
    assert process.client().execute("6 * 7").result == "42"
    log = process.log.read_text()
    assert "pyzmq is version 99" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("value", "loaded"), [("1", False), ("true", False), ("0", True)])
def test_switched_off_by_the_environment(
    start_kernel: Start, home: Home, value: str, loaded: bool
) -> None:
    home.install()
    process = start_kernel(env={**home.env, "IPYEXT_DISABLE": value})
    (check_loaded if loaded else check_stock)(process.client())
    assert "Traceback" not in process.log.read_text()
    assert "load" not in process.log.read_text()


# -- kernelspecs -----------------------------------------------------------------------------------


class ByJupyter:
    """A kernel that jupyter_client starts by the name of its kernelspec."""

    def __init__(self, home: Home, **env: str) -> None:
        specs = KernelSpecManager(kernel_dirs=[str(home.folder / "jupyter" / "kernels")])
        self._manager = KernelManager(
            kernel_name="live",
            kernel_spec_manager=specs,
            connection_file=str(home.folder / "connection.json"),
        )
        environment: dict[str, Any] = {**os.environ, **home.env, **env}
        self.log = home.folder / "log.txt"
        with self.log.open("wb") as log:
            self._manager.start_kernel(cwd=str(home.folder), env=environment, stderr=log)
        found = self._manager.get_connection_info()
        self.wire = Wire({**found, "key": found["key"].decode()})
        # Until it has heard all of an answer: a subscription takes its time.
        self.wire.until(self._heard, what=f"an answer; log: {self.log}")
        for msg_id in self.wire.sent:
            self.wire.expect_reply[msg_id] = False

    def _heard(self) -> bool:
        probe = self.wire.send("kernel_info_request")
        for _ in range(10):
            self.wire.pump(0.1)
            if self.wire._complete(probe):
                return True
        return False

    def close(self) -> None:
        self.wire.close()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture
def by_jupyter(home: Home) -> Iterator[Callable[..., ByJupyter]]:
    started: list[ByJupyter] = []

    def start(**env: str) -> ByJupyter:
        started.append(ByJupyter(home, **env))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_the_kernelspec_starts_a_kernel_with_it(
    by_jupyter: Callable[..., ByJupyter], home: Home
) -> None:
    home.install("--kernelspec", "live")
    process = by_jupyter()
    check_loaded(process.wire)
    debugger = JupyterDap(process.wire)
    assert debugger.do("debugInfo")["isStarted"] is False
    debugger.attach()
    process.wire.execute("1", subshell=process.wire.create("worker"))
    # None of the kernel's own, of which Jupyter's manager makes it start one more.
    names = debugger.names()
    assert {"main", "subshell worker"} <= names.keys()
    assert all(name == "main" or name.startswith("subshell ") for name in names)
    debugger.do("disconnect")
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "frozen" not in log  # debugpy says nothing about modules that it cannot look into
    process.wire.pump()
    process.wire.check()


def test_the_kernelspec_with_the_switch(by_jupyter: Callable[..., ByJupyter], home: Home) -> None:
    home.install("--kernelspec", "live")
    check_stock(by_jupyter(IPYEXT_DISABLE="1").wire)


def test_both_ways_at_once(by_jupyter: Callable[..., ByJupyter], home: Home) -> None:
    home.install()
    home.install("--kernelspec", "live")
    process = by_jupyter()
    check_loaded(process.wire)
    assert "Traceback" not in process.log.read_text()


def test_a_kernelspec_that_survived_its_package(
    by_jupyter: Callable[..., ByJupyter], home: Home
) -> None:
    home.install("--kernelspec", "live")
    env = home.module("sitecustomize", "import sys; sys.modules['ipyext'] = None")
    assert by_jupyter(**env).wire.execute("6 * 7").result == "42"


def test_the_kernelspec_is_the_stock_one_otherwise(home: Home) -> None:
    home.install("--kernelspec", "live")
    ours = KernelSpecManager(kernel_dirs=[str(home.folder / "jupyter" / "kernels")])
    spec = ours.get_kernel_spec("live")
    stock = KernelSpecManager(kernel_dirs=[]).get_kernel_spec("python3")
    assert [one for one in spec.argv if not one.startswith("-X")] == [
        *stock.argv,
        "--ext",
        "ipyext.autoload",
    ]
    assert spec.interrupt_mode == stock.interrupt_mode
    assert spec.metadata.items() >= stock.metadata.items() or LANE < 7
    assert sorted(path.name for path in Path(spec.resource_dir).glob("logo*")) == sorted(
        path.name for path in Path(stock.resource_dir).glob("logo*")
    )
