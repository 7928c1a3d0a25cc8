"""The command `ipyext`: its arguments, its help, its completion in shells. No kernels."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ipyext.cli import main
from tests.homes import Run, tree


@pytest.mark.parametrize(
    "wrong",
    [
        ("--profile", "a", "--kernelspec", "b"),
        ("--profile", "a", "--sys-prefix"),
        ("--user", "--sys-prefix"),
        ("--display-name", "x"),
        ("--prefix",),
        ("--prefix", ""),
        ("--kernelspec", "x", "--prefix="),
        ("--bogus",),
        ("more",),
    ],
)
def test_wrong_arguments(
    install: Run, home: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...]
) -> None:
    monkeypatch.chdir(home)
    status, out, err = install(*wrong)
    assert (status, out, "usage: ipyext install" in err) == (2, "", True)
    assert tree(home) == {}


def test_help_teaches(install: Run) -> None:
    status, out, _ = install("--help")
    assert status == 0
    for word in ("examples:", "IPYEXT_DISABLE", "exit status", "--uninstall"):
        assert word in out


@pytest.mark.parametrize("wrong", ["soon", "0", "-1", "nan", "inf"])
def test_wrong_seconds(capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--timeout", wrong])
    assert f"{wrong!r} is no number of seconds above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ipyext install --un", "--uninstall"),
        ("ipyext install --profile w", "work"),
        ("ipyext install --uninstall --kernelspec l", "live"),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_in_the_shell(
    install: Run, home: Path, tmp_path: Path, line: str, offered: str, shell: str
) -> None:
    (home / "ipython" / "profile_work").mkdir(parents=True)
    install("--kernelspec", "live")
    subprocess.run(
        [sys.executable, "-m", "ipyext.cli"],
        timeout=60,
        check=True,
        env={
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": shell,
            "_ARGCOMPLETE_DFS": "\t",  # between a word and its help, in fish
            "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "out"),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        },
    )
    # The help of an option may stand beside it, in zsh and fish.
    assert re.split(r"[\s:]", (tmp_path / "out").read_text().strip())[0] == offered


def test_the_reference_says_how_shells_complete_it() -> None:
    """With the options that the registering program has."""
    reference = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
    from argcomplete import shellcode

    assert 'eval "$(register-python-argcomplete ipyext)"' in reference
    assert "compdef _python_argcomplete ipyext" in shellcode(["ipyext"])  # compinit's
    assert r"register-python-argcomplete --shell fish ipyext \| source" in reference
    assert "complete --command ipyext" in shellcode(["ipyext"], shell="fish")
