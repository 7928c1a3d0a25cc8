"""The debug router's core with two clients, and homes to install into, for the tests of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ipyext.cli import main
from tests.fake_debugpy import Client, World
from tests.homes import Run


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    """The debugger is off, and nobody is there."""
    yield World()
    assert not caplog.records, "something failed inside"


@pytest.fixture
def lab(world: World) -> Client:
    """JupyterLab, which debugs."""
    client = world.connect()
    client.attach()
    client.forget()
    return client


@pytest.fixture
def code(world: World, lab: Client) -> Client:
    """Beside it a client with a connection of its own."""
    client = world.connect(jupyter=False)
    client.attach()
    client.forget()
    lab.forget()
    return client


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("IPYTHONDIR", str(home / "ipython"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(home / "jupyter-config"))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    monkeypatch.delenv("IPYEXT_DISABLE", raising=False)
    return home


@pytest.fixture
def install(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(["install", *arguments])
        except SystemExit as error:
            status = int(str(error.code))
        out, err = capsys.readouterr()
        return status, out, err

    return run
