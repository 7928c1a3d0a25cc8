"""Who gets an interrupt that comes as something ends."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from ipyext.shells.interrupts import Interrupts


class Child:
    def __init__(self) -> None:
        self.at_work = False
        self.processes: list[Any] = []
        self.gate = SimpleNamespace(blocked=None)
        self.interrupted = 0

    def interrupt(self) -> None:
        self.interrupted += 1


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals that are on their way."""
    found: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: found.append(number))
    monkeypatch.setattr(os, "getpgid", lambda pid: 0)  # no leader: no other processes
    return found


def test_a_child_that_began_after_the_stop_is_spared(sent: list[int]) -> None:
    """The stop came between two cells: SIGINT arrives on main when the next one runs."""
    child: Any = Child()
    parent: Any = SimpleNamespace(busy=False, stopped_at=None)
    gate: Any = SimpleNamespace(on_signal=lambda: False)
    interrupts = Interrupts(
        parent, gate, lambda: [child], lambda: None, lambda call: call(), lambda: True
    )
    interrupts.stop_button()
    assert sent == [signal.SIGINT]
    child.at_work = True
    interrupts.on_sigint()
    assert child.interrupted == 0
    interrupts.on_sigint()  # from outside: the person sees what runs now
    assert child.interrupted == 1
    interrupts.stop_button()
    assert (sent, child.interrupted) == ([signal.SIGINT], 2)


def test_main_is_interrupted_before_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else their ends look like failures, and the interrupt hits what shows them."""
    order: list[object] = []

    class Process:
        def __init__(self, pid: int) -> None:
            self.pid = pid

        def children(self) -> list[Process]:
            return [Process(self.pid + 1)] if self.pid < os.getpid() + 2 else []

        def send_signal(self, number: int) -> None:
            order.append(self.pid - os.getpid())

    monkeypatch.setattr("psutil.Process", Process)
    monkeypatch.setattr(os, "getpgid", lambda pid: os.getpid())
    monkeypatch.setattr(os, "kill", lambda pid, number: order.append("main"))
    parent: Any = SimpleNamespace(busy=True)
    gate: Any = SimpleNamespace()
    Interrupts(parent, gate, list, lambda: None, lambda call: call(), lambda: True).main()
    assert order == ["main", 1, 2]


def test_a_dropped_one_comes_again_to_the_same_request_of_main_only(sent: list[int]) -> None:
    parent: Any = SimpleNamespace(busy=True, stopped_at=None, current="first")
    signals: list[None] = []
    gate: Any = SimpleNamespace(asked=True, on_signal=lambda: signals.append(None) or True)
    later: list[Any] = []
    interrupts = Interrupts(parent, gate, list, lambda: None, later.append, lambda: True)
    assert interrupts.dropped(parent)
    later.pop()()
    assert sent == [signal.SIGINT]
    interrupts.on_sigint()
    assert len(signals) == 1
    assert interrupts.dropped(parent)
    parent.current = "second"
    later.pop()()  # it has ended before anything was sent
    assert sent == [signal.SIGINT]
    assert interrupts.dropped(parent)
    later.pop()()
    parent.current = "third"  # and before the signal arrives
    interrupts.on_sigint()
    assert (len(sent), len(signals)) == (2, 1)
    interrupts.on_sigint()
    assert len(signals) == 2


def test_what_was_not_asked_for_does_not_come_again(sent: list[int]) -> None:
    parent: Any = SimpleNamespace(busy=True, stopped_at=None, current="first")
    gate: Any = SimpleNamespace(asked=False)
    interrupts = Interrupts(parent, gate, list, lambda: None, lambda call: call(), lambda: True)
    assert not interrupts.dropped(parent)
    assert not interrupts.dropped(None)  # a thread that a cell has started
    assert sent == []
