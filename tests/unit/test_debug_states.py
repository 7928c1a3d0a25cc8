"""The tables of states: whole, reachable, and drawn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from ipyext.debug.states import (
    CLIENT,
    DEBUGGER,
    Client,
    Debugger,
    Machine,
    Move,
    StateError,
    Step,
    mermaid,
)

Table = Mapping[tuple[Any, Any], Any]
TABLES: list[tuple[Table, type[Enum], type[Enum], Enum]] = [
    (DEBUGGER, Debugger, Step, Debugger.OFF),
    (CLIENT, Client, Move, Client.NEW),
]
PAIRS = [
    pytest.param(table, state, step, id=f"{state.name}-{step.name}")
    for table, states, steps, _ in TABLES
    for state, step in itertools.product(states, steps)
]
each_table = pytest.mark.parametrize(
    ("table", "states", "steps", "start"), TABLES, ids=["debugger", "client"]
)


@pytest.mark.parametrize(("table", "state", "step"), PAIRS)
def test_every_pair_is_in_the_table_or_an_error(table: Table, state: Enum, step: Enum) -> None:
    machine: Machine[Any, Any] = Machine(table, state)
    if (state, step) in table:
        assert machine.can(step)
        assert machine.advance(step) is table[state, step]
        assert machine.state is table[state, step]
    else:
        assert not machine.can(step)
        with pytest.raises(StateError, match=str(step.value)) as caught:
            machine.advance(step)
        assert str(state.value) in str(caught.value)
        assert machine.state is state


@each_table
def test_every_state_is_reached(
    table: Table, states: type[Enum], steps: type[Enum], start: Enum
) -> None:
    reached = {start}
    while more := {to for (state, _), to in table.items() if state in reached} - reached:
        reached |= more
    assert reached == set(states)


@each_table
def test_every_step_happens_somewhere(
    table: Table, states: type[Enum], steps: type[Enum], start: Enum
) -> None:
    assert {step for _, step in table} == set(steps)


def test_the_debugger_is_off_in_the_end_from_everywhere() -> None:
    for state in Debugger:
        machine = Machine(DEBUGGER, state)
        for step in (Step.STOP, Step.STOPPED):
            if machine.can(step):
                machine.advance(step)
        assert machine.state is Debugger.OFF, state


def test_a_client_that_is_gone_stays_gone() -> None:
    for (state, _), to in CLIENT.items():
        if state is Client.GONE:
            assert to is Client.GONE


def test_the_tables_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        DEBUGGER[Debugger.OFF, Step.STOPPED] = Debugger.ON  # type: ignore[index]


@each_table
def test_the_drawing_shows_every_transition(
    table: Table, states: type[Enum], steps: type[Enum], start: Enum
) -> None:
    lines = mermaid(table, start).splitlines()
    assert lines[:2] == ["stateDiagram-v2", f"    [*] --> {start.name}"]
    wanted = [f"    {one.name} --> {to.name}: {step.value}" for (one, step), to in table.items()]
    assert lines[2:] == wanted
    assert len(set(lines)) == len(lines)
