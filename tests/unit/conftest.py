"""The debug router's core with two clients, for the tests of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_debugpy import Client, World


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
