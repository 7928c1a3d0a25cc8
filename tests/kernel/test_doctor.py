"""The command `ipyext doctor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ipyext import __version__
from ipyext.doctor.needs import FORMAT
from ipyext.doctor.steps import STEPS
from tests.kernel.test_demo import run


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    done = run("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_all_is_well(found: dict[str, Any]) -> None:
    assert (found["ok"], found["planned"], found["log"]) == (True, len(STEPS), "")
    assert [step["id"] for step in found["steps"]] == [step.id for step in STEPS]
    assert all(step["ok"] and step["seconds"] > 0 for step in found["steps"])


def test_the_fields_are_those_that_are_documented(found: dict[str, Any]) -> None:
    reference = Path(__file__).parents[2] / "docs" / "reference.md"
    documented = reference.read_text().split("### `ipyext doctor --json`")[1]
    assert (found["format"], found["ipyext"]) == (FORMAT, __version__)
    for row in (
        found,
        found["needs"][0],
        found["versions"][0],
        found["patches"][0],
        found["steps"][0],
    ):
        for name in row:
            assert f"`{name}`" in documented, name


def test_versions(found: dict[str, Any]) -> None:
    versions = {row["name"]: row for row in found["versions"]}
    assert {"Python", "ipykernel", "ipython", "pyzmq", "wrapt"} == versions.keys()
    assert all(row["ok"] and row["version"] and row["checked"] for row in versions.values())
    assert "debugpy" in found["beside"]


def test_patches(found: dict[str, Any]) -> None:
    assert len(found["patches"]) == found["steps"][2]["measures"]["changes"] > 20
    assert all(row["why"] and row["state"] == "applied" for row in found["patches"])


def test_the_debugger_was_tried(found: dict[str, Any]) -> None:
    (step,) = [step for step in found["steps"] if step["id"] == "debugger"]
    assert step["measures"].keys() == {"start", "hit", "continue"}


def test_colours_and_the_switch() -> None:
    done = run("doctor", FORCE_COLOR="1", IPYEXT_DISABLE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\033[" in done.stdout
    assert "IPYEXT_DISABLE is set here" in done.stdout


def test_plain_and_where_it_is_installed(tmp_path: Path) -> None:
    env = {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    assert run("install", **env).returncode == 0
    assert run("install", "--kernelspec", "live", **env).returncode == 0
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "00-mine.ipy"
    startup.parent.mkdir()
    startup.write_text("%load_ext ipyext\n")
    done = run("doctor", "--plain", FORCE_COLOR="1", **env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.isascii()
    assert "\033" not in done.stdout
    assert f"All {len(STEPS)} steps did what they say" in done.stdout
    assert f"profile default: {tmp_path}" in done.stdout
    assert f"kernelspec live: {tmp_path}" in done.stdout
    assert f"profile default: {startup} (line 1: %load_ext ipyext)" in done.stdout
    assert "a kernel that was started with all that loads it" in done.stdout
    assert "control.handlers" in done.stdout


def test_the_self_test_is_on_a_stock_kernel_all_the_same(tmp_path: Path) -> None:
    """Also where every kernel of the environment loads it."""
    assert run("install", "--prefix", str(tmp_path)).returncode == 0
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.prefix = {str(tmp_path)!r}")
    (tmp_path / "ipython").mkdir()
    mine = tmp_path / "etc" / "ipython" / "ipython_config.py"
    mine.write_text(
        "app = get_config().InteractiveShellApp\n"
        "app.extensions = app.extra_extensions = ['ipyext']\n"
        "app.exec_lines = ['%load_ext ipyext']\n"
        "get_config().IPKernelApp.extensions = ['ipyext']\n"
        "print('configured')\n"
    )
    done = run("doctor", "--json", PYTHONPATH=str(tmp_path), IPYTHONDIR=str(tmp_path / "ipython"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["loaded"] is True
    assert [place["kind"] for place in found["autoload"]] == ["environment"]
    assert found["elsewhere"] == [
        {
            "kind": "environment",
            "name": str(tmp_path),
            "path": str(mine),
            "what": f"c.{setting}",
        }
        for setting in (
            "InteractiveShellApp.extensions",
            "InteractiveShellApp.extra_extensions",
            "InteractiveShellApp.exec_lines",
            "IPKernelApp.extensions",
        )
    ]


def test_a_version_that_was_not_checked(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "real = metadata.version\n"
        "metadata.version = lambda name: '99' if name == 'pyzmq' else real(name)\n"
    )
    done = run("doctor", "--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["ok"], found["steps"]) == (False, [])
    (wrong,) = [row for row in found["versions"] if not row["ok"]]
    assert (wrong["name"], wrong["version"]) == ("pyzmq", "99")
    assert "pip install" in wrong["advice"]
    done = run("doctor", "--plain", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "pip install 'pyzmq" in done.stdout
    assert "nothing was tried" in done.stdout


def test_a_step_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'ipykernel_launcher' in sys.orig_argv: sys.modules['debugpy'] = None\n"
    )
    done = run("doctor", "--plain", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "Failed: Debug main while it loops." in done.stdout
    assert "Traceback" not in done.stderr


NEEDS = [
    "debugpy",
    "ipykernel",
    "jupyter_client",
    "packaging",
    "psutil",
    "rich",
    "tabulate",
    "wrapt",
]
MISSING = """
import sys
from importlib import metadata
real = metadata.version
def version(name):
    if name == {name!r}:
        raise metadata.PackageNotFoundError(name)
    return real(name)
metadata.version = version
sys.modules[{name!r}] = None
"""


def test_what_it_needs(found: dict[str, Any]) -> None:
    assert sorted(need["name"] for need in found["needs"]) == NEEDS
    assert all(need["ok"] and need["required"] and not need["problem"] for need in found["needs"])


@pytest.mark.parametrize("name", NEEDS)
def test_something_that_it_needs_is_missing(
    tmp_path: Path, name: str, found: dict[str, Any]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(MISSING.format(name=name))
    done = run("doctor", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    assert f"FAILED {name} " in done.stdout
    advice = done.stdout.splitlines()[-1]
    assert "-m pip install " in advice
    assert f"{name}>=" in advice or f"{name}<" in advice
    done = run("doctor", "--json", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert (told.keys(), told["ok"], told["steps"]) == (found.keys(), False, [])
    (wrong,) = [need for need in told["needs"] if need["problem"] == "not installed"]
    assert (wrong["name"], wrong["ok"]) == (name, False)


@pytest.mark.parametrize(
    ("command", "name"),
    [("demo --plain", "rich"), ("demo --json", "jupyter_client"), ("install --dry-run", "rich")],
)
def test_what_a_command_needs_is_missing(tmp_path: Path, command: str, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(MISSING.format(name=name))
    done = run(*command.split(), PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f" needs {name}, " in done.stderr
    assert "`ipyext doctor`" in done.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise ImportError('lib.so is not there')", "ImportError: lib.so is not there"),
        ("import os; os._exit(3)", "exit status 3"),
    ],
)
def test_something_that_it_needs_is_broken(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "wrapt.py").write_text(text)
    done = run("doctor", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAILED wrapt " in done.stdout
    assert why in done.stdout
    assert "pip install --force-reinstall 'wrapt" in done.stdout


def test_a_version_that_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "real = metadata.version\n"
        "metadata.version = lambda name: '0.1' if name == 'tabulate' else real(name)\n"
    )
    done = run("doctor", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAILED tabulate >=0.9: version 0.1 is installed" in done.stdout


class Own:
    """A home with a configuration."""

    def __init__(self, folder: Path, config: str) -> None:
        self.profile = folder / "ipython" / "profile_default"
        self.profile.mkdir(parents=True)
        (self.profile / "ipython_config.py").write_text(config)
        self.env = {
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        }

    def doctor(self, *options: str) -> tuple[int, dict[str, Any]]:
        done = run("doctor", "--json", *options, **self.env)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)


APPENDED_TWICE = """
c.InteractiveShellApp.extensions.append("autoreload")
c.IPKernelApp.extensions.append("autoreload")
"""


@pytest.mark.parametrize(
    "config", [APPENDED_TWICE, "while True: pass", "c.IPKernelApp.extensions = {'autoreload'}"]
)
def test_a_configuration_with_which_no_kernel_starts(tmp_path: Path, config: str) -> None:
    status, found = Own(tmp_path, config).doctor("--timeout=10")
    assert (status, found["ok"], found["loaded"]) == (1, False, None)
    assert "A kernel with your configuration does not start" in found["problem"]
    assert str(tmp_path / "ipython" / "profile_default") in found["problem"]
    assert all(step["ok"] for step in found["steps"])


def test_a_kernel_that_does_not_load_what_it_is_told_to(tmp_path: Path) -> None:
    own = Own(tmp_path, "")
    assert run("install", **own.env).returncode == 0
    file = own.profile / "ipython_kernel_config.py"
    file.write_text("1 / 0\n" + file.read_text())
    status, found = own.doctor()
    assert (status, found["ok"], found["loaded"]) == (1, False, False)
    assert f"did not load ipyext, as it is told to by {file}" in found["problem"]
    assert "ZeroDivisionError" in found["problem"]


def test_kernelspecs_of_an_environment_that_is_gone(tmp_path: Path) -> None:
    own = Own(tmp_path, "")
    folder = tmp_path / "jupyter" / "kernels"
    for name, argv in {"gone": ["/gone/python"], "fine": ["python3"], "none": []}.items():
        (folder / name).mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python"}
        (folder / name / "kernel.json").write_text(json.dumps(spec))
    status, found = own.doctor()
    assert (status, found["loaded"], found["problem"]) == (0, False, "")
    assert found["dead"] == [
        {
            "kind": "kernelspec",
            "name": "gone",
            "path": str(folder / "gone"),
            "what": "/gone/python is not there",
        }
    ]
