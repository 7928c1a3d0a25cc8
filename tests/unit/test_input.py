"""Who owns input() while another thread loads or unloads between the ends of main's cells."""

from __future__ import annotations

import builtins
import getpass
from collections.abc import Iterator
from typing import Any, cast

import pytest

from ipyext_patches.ledger import Change, Ledger
from ipyext_patches.ports import Hooks
from ipyext_patches.targets.python import input_changes


class FakeKernel:
    """What ipykernel does with input() around a cell."""

    _allow_stdin = False
    _sys_raw_input: Any
    _save_getpass: Any

    def raw_input(self, prompt: object = "") -> str:
        return "asked the client"

    def getpass(self, prompt: str = "", stream: Any = None) -> str:
        return "asked the client"

    def _forward_input(self, allow_stdin: bool = False) -> None:
        self._allow_stdin = allow_stdin
        self._sys_raw_input, builtins.input = builtins.input, self.raw_input
        self._save_getpass, getpass.getpass = getpass.getpass, self.getpass

    def _restore_input(self) -> None:
        builtins.input, getpass.getpass = self._sys_raw_input, self._save_getpass


class NoHooks:
    def current(self) -> None:
        return None


@pytest.fixture
def plain() -> Iterator[tuple[Any, Any]]:
    """The functions as they are outside of cells; put back whatever the test did."""
    found = builtins.input, getpass.getpass
    yield found
    builtins.input, getpass.getpass = found


def made() -> tuple[FakeKernel, list[Change], Ledger]:
    kernel, ledger = FakeKernel(), Ledger()
    changes = input_changes(ledger, cast(Hooks, NoHooks()), kernel)
    return kernel, list(changes), ledger


def now() -> tuple[Any, Any]:
    return builtins.input, getpass.getpass


@pytest.mark.parametrize("done", [0, 1, 2, 3])
@pytest.mark.parametrize("loading", [True, False])
def test_a_cell_that_ends_meanwhile(plain: Any, loading: bool, done: int) -> None:
    """After any number of the steps of a load or an unload."""
    kernel, changes, ledger = made()
    if not loading:
        ledger.apply(changes)
    kernel._forward_input(True)
    for change in changes[:done] if loading else [*reversed(changes)][:done]:
        change.apply() if loading else change.revert()
    kernel._restore_input()
    for change in changes[done:] if loading else [*reversed(changes)][done:]:
        change.apply() if loading else change.revert()
    if loading:
        assert now() != plain
        ledger.apply([])  # the switch
        for change in reversed(changes):
            change.revert()
    assert now() == plain


@pytest.mark.parametrize("done", [0, 1, 2, 3])
@pytest.mark.parametrize("loading", [True, False])
def test_a_cell_that_begins_meanwhile(plain: Any, loading: bool, done: int) -> None:
    kernel, changes, ledger = made()
    if not loading:
        ledger.apply(changes)
    steps = changes if loading else [*reversed(changes)]
    for change in steps[:done]:
        change.apply() if loading else change.revert()
    kernel._forward_input(True)
    for change in steps[done:]:
        change.apply() if loading else change.revert()
    assert builtins.input() == "asked the client"
    assert getpass.getpass() == "asked the client"
    kernel._restore_input()
    if loading:
        for change in reversed(changes):
            change.revert()
    assert now() == plain
