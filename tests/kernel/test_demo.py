"""The command `ipyext`: what the README tells people to run first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipyext import __version__
from ipyext.demo.steps import STEPS


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command; modules of a PYTHONPATH in `env` count over those of ours."""
    paths = [env.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return subprocess.run(
        [sys.executable, "-m", "ipyext.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **env},
    )


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    found = run("demo", "--json")
    assert found.returncode == 0, found.stdout + found.stderr
    return json.loads(found.stdout)


def test_every_step_does_what_it_says(shown: dict[str, Any]) -> None:
    assert shown["ok"]
    assert [step["id"] for step in shown["steps"]] == [step.id for step in STEPS]
    assert all(step["ok"] and not step["failure"] for step in shown["steps"])


def test_measures_are_there(shown: dict[str, Any]) -> None:
    measures = {step["id"]: step["measures"] for step in shown["steps"]}
    for step in ("control", "child"):
        assert measures[step]["rounds"] == 20
        assert 0 < measures[step]["median"] <= measures[step]["longest"]
    assert measures["interrupt-main"]["ticks"] > 0


def test_plain_is_plain() -> None:
    found = run("demo", "--plain", FORCE_COLOR="1")
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.isascii()
    assert "\033" not in found.stdout
    assert f"All {len(STEPS)} steps did what they say" in found.stdout


def test_a_broken_promise_is_told(tmp_path: Path) -> None:
    # A kernel in which the extension cannot be loaded.
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['ipyext.extension'] = None")
    found = run("demo", PYTHONPATH=str(tmp_path))
    assert found.returncode == 1
    assert f"1 of {len(STEPS)} steps passed." in found.stdout
    assert "Failed: Load the extension." in found.stdout
    assert "Traceback" not in found.stderr


def test_a_kernel_that_does_not_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "ipykernel_launcher.py").write_text("raise SystemExit('this kernel is broken')")
    found = run("demo", "--json", PYTHONPATH=str(tmp_path))
    assert found.returncode == 1
    shown = json.loads(found.stdout)
    assert not shown["ok"]
    assert "this kernel is broken" in shown["steps"][0]["failure"]


def test_version_and_help() -> None:
    assert run("--version").stdout == f"ipyext {__version__}\n"
    assert "%load_ext ipyext" in run().stdout
    assert "exit status" in run("demo", "--help").stdout


def test_wrong_arguments() -> None:
    for wrong in (["dmeo"], ["demo", "--timeout", "0"], ["demo", "--plain", "--json"]):
        found = run(*wrong)
        assert found.returncode == 2
        assert "usage:" in found.stderr
