"""Where people have named the extension themselves: configuration, startup files, kernelspecs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ipyext.install import changes, profile
from ipyext.install.survey import Place, named_elsewhere

SEVERAL = """
c = get_config()
print("a configuration may print")
c.InteractiveShellApp.extensions = ["autoreload", "ipyext"]
c.IPKernelApp.extra_extensions = ("ipyext.autoload",)
c.InteractiveShellApp.exec_lines = ["import sys", "%load_ext ipyext"]
"""
OTHERS = """
c = get_config()
c.InteractiveShellApp.extensions = ["autoreload", "ipyext_other", "my.ipyext"]
c.InteractiveShellApp.exec_lines = ["import ipyext", "%load_ext ipyext.demo"]
c.IPyExt.comms = "main"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a profile, in a home of its own; nothing names the extension yet."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    folder = tmp_path / "ipython" / "profile_work"
    (folder / "startup").mkdir(parents=True)
    assert found(tmp_path) == []
    return folder


def found(home: Path) -> list[Place]:
    """What is found below that folder; others may name it in this environment."""
    return [place for place in named_elsewhere() if home in place.path.parents]


def whats(home: Path) -> list[tuple[str, str]]:
    return [(place.path.name, place.what) for place in found(home)]


def test_settings_in_python(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "ipython_config.py").write_text(SEVERAL)
    assert found(home) == [
        Place("profile", "work", home / "ipython_config.py", what)
        for what in (
            "c.InteractiveShellApp.extensions",
            "c.InteractiveShellApp.exec_lines",
            "c.IPKernelApp.extra_extensions",
        )
    ]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("call", ["append('ipyext')", "extend(['ipyext'])", "prepend(['ipyext'])"])
def test_lists_that_are_joined_later(home: Path, call: str) -> None:
    (home / profile.FILE).write_text(f"get_config().IPKernelApp.extensions.{call}")
    assert whats(home) == [(profile.FILE, "c.IPKernelApp.extensions")]


def test_settings_in_json(home: Path) -> None:
    file = home / "ipython_kernel_config.json"
    file.write_text(json.dumps({"IPKernelApp": {"extensions": ["ipyext"]}}))
    assert whats(home) == [(file.name, "c.IPKernelApp.extensions")]


def test_a_file_that_another_one_loads(home: Path) -> None:
    (home.parent / "profile_base").mkdir()
    (home.parent / "profile_base" / "ipython_config.py").write_text(SEVERAL)
    (home / profile.FILE).write_text("load_subconfig('ipython_config.py', profile='base')")
    assert (profile.FILE, "c.InteractiveShellApp.extensions") in whats(home)


def test_what_is_something_else(home: Path) -> None:
    (home / "ipython_config.py").write_text(OTHERS)
    (home / "startup" / "00.py").write_text("# %load_ext ipyext\nimport ipyext\nload_ext = 1\n")
    assert whats(home) == []


def test_our_own_lines_are_not_elsewhere(home: Path) -> None:
    changes.make(profile.install(home / profile.FILE))
    assert profile.is_installed(home / profile.FILE)
    assert whats(home) == []
    with (home / profile.FILE).open("a") as file:
        file.write("get_config().IPKernelApp.extensions.append('ipyext')\n")
    assert whats(home) == [(profile.FILE, "c.IPKernelApp.extensions")]


def test_what_our_lines_do_written_by_hand(home: Path) -> None:
    lines = "from ipyext.autoload import configure\nconfigure()\n"
    (home / "ipython_config.py").write_text("# " + lines.partition("\n")[0])
    (home / profile.FILE).write_text(lines)
    changes.make(profile.install(home / profile.FILE))
    assert whats(home) == [(profile.FILE, "ipyext.autoload.configure")]


@pytest.mark.parametrize("text", ["c = (", "raise SystemExit", "1 / 0"])
def test_a_file_that_cannot_be_read(home: Path, text: str) -> None:
    (home / "ipython_config.py").write_text(text)
    ((name, what),) = whats(home)
    assert name == "ipython_config.py"
    assert what.startswith("kernels cannot read it: S" if "1" not in text else "kernels cannot")


@pytest.mark.parametrize(
    "line",
    [
        "%load_ext ipyext",
        "get_ipython().run_line_magic('load_ext', 'ipyext')",
        'get_ipython().extension_manager.load_extension("ipyext.autoload")',
    ],
)
@pytest.mark.parametrize("name", ["10-mine.py", "10-mine.ipy"])
def test_startup_files(home: Path, line: str, name: str) -> None:
    (home / "startup" / name).write_text(f"import sys\n{line}\n")
    assert whats(home) == [(name, f"line 2: {line}")]


@pytest.mark.parametrize(
    "option",
    [
        ["--ext", "ipyext"],
        ["--ext=ipyext.autoload"],
        ["--IPKernelApp.extensions=ipyext"],
        ["--IPKernelApp.extensions", "['autoreload', 'ipyext']"],
        ["--InteractiveShellApp.extensions=['ipyext']"],
    ],
)
def test_kernelspecs(home: Path, tmp_path: Path, option: list[str]) -> None:
    folder = tmp_path / "jupyter" / "kernels" / "mine"
    folder.mkdir(parents=True)
    argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}", *option]
    spec = {"argv": argv, "display_name": "Mine", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    assert found(tmp_path) == [Place("kernelspec", "mine", folder, " ".join(option))]
    spec["argv"] = [*argv[:-1], argv[-1].replace("ipyext", "ipyext2"), "ipyext"]
    (folder / "kernel.json").write_text(json.dumps(spec))
    assert found(tmp_path) == []
    (folder / "kernel.json").write_text("{")
    assert found(tmp_path) == []
