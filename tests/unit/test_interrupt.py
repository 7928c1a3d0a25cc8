"""An interrupt reaches user code, and nothing but user code."""

from __future__ import annotations

import asyncio
import contextlib
import cProfile
import functools
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ipyext.shells import gates
from ipyext.shells.gates import Gate, Reach
from ipyext.shells.interrupt import Interruptible
from ipyext.shells.raising import take_back
from ipyext.shells.tasks import Task
from ipyext_patches import Living

ROUNDS = 2000  # at least, and as many as it takes until so many of them were interrupted:
HITS = 200
TASK_HITS = 30


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads take turns so often that an interrupt falls between any two bytecodes."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(former)


def test_a_gate_takes_only_what_can_be_delivered() -> None:
    """What each call does to the next one is the state machine of a gate."""
    gate = Gate()
    assert gate.interrupt() is Reach.NOTHING
    with gate.work():
        assert gate.interrupt() is Reach.WAITING
        with pytest.raises(KeyboardInterrupt):
            gate.open()  # it came before the code
        assert gate.close() is False
        gate.open()
        assert gate.is_open
        assert gate.close() is False
        assert not gate.is_open
        assert gate.interrupt() is Reach.SUSPENDED
    assert gate.interrupt() is Reach.NOTHING


def test_a_dropped_interrupt_belongs_to_its_work() -> None:
    gate = Gate()
    with gate.work():
        assert gate.dropped() is None  # nobody interrupted it
        gate.interrupt()
        first = gate.dropped()
        assert first is not None
        with gate.during(first) as it_is:
            assert it_is
    assert gate.dropped() is None
    with gate.during(first) as it_is:
        assert not it_is
    with gate.work(), gate.during(first) as it_is:
        assert not it_is


class LateGate(Gate):
    """Somebody interrupts in the very moment in which the code stops running, once."""

    def __init__(self, arrives: bool) -> None:
        super().__init__()
        self.arrives = arrives
        self.calls = 0

    def close(self) -> bool:
        self.calls += 1
        if self.calls == 1:
            if self.arrives:  # sent a moment before `closing` was set, it hits this very call
                raise KeyboardInterrupt
            assert self.interrupt() is Reach.RAISED
        return super().close()


@pytest.mark.parametrize("arrives", [False, True])
def test_an_interrupt_between_code_and_await_is_delivered_at_the_await(arrives: bool) -> None:
    async def cell() -> str:
        try:
            await asyncio.Event().wait()
        except KeyboardInterrupt:
            return "interrupted"
        return "finished"

    async def drive() -> Any:
        gate = LateGate(arrives)
        with gate.work():
            result = await asyncio.wait_for(Interruptible(cell(), gate).run(awaits=True), 10)
        assert not gate.is_open
        return result

    assert run(drive()) == "interrupted"


@pytest.mark.parametrize("arrives", [False, True])
def test_an_interrupt_after_the_end_of_the_code_hits_nobody(arrives: bool) -> None:
    async def cell() -> str:
        return "finished"

    async def drive() -> Any:
        gate = LateGate(arrives)
        with gate.work():
            return await Interruptible(cell(), gate).run(awaits=False)

    assert run(drive()) == "finished"


def test_no_second_interrupt_is_sent_while_one_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Any] = []
    taken_back: list[bool] = []
    monkeypatch.setattr(gates, "raise_in", lambda thread, error: sent.append(error))
    monkeypatch.setattr(gates, "take_back", lambda: taken_back.append(True))
    gate = Gate()
    gate.open()
    assert gate.blocked is None
    assert gate.interrupt() is Reach.RAISED
    since = gate.asked
    assert gate.interrupt() is Reach.RAISED
    assert gate.asked == since, "the age is that of the first"
    assert gate.blocked is not None
    assert len(sent) == 1
    assert gate.close() is True
    assert taken_back == [True]
    assert gate.blocked is None


def test_an_interrupt_that_is_held_back_is_on_its_way() -> None:
    gate = Gate()

    def hold_back() -> None:
        with gate.held():
            assert gate.blocked is None
            assert gate.interrupt() is Reach.WAITING
            since = gate.asked
            assert gate.blocked is not None
            assert gate.interrupt() is Reach.WAITING
            assert gate.asked == since, "the age is that of the first"

    with gate.work():
        gate.open()
        with pytest.raises(KeyboardInterrupt):
            hold_back()
        assert gate.blocked is None


def test_a_profiled_call_after_one_was_taken_back() -> None:
    """Where CPython's flag stays up, the next profiled call never returns (3.11)."""
    done = threading.Event()

    def call() -> None:
        take_back()
        cProfile.Profile().runcall(sum, [1, 2])
        done.set()

    threading.Thread(target=call, daemon=True).start()
    assert done.wait(20)


def test_what_was_asked_of_one_piece_of_work_is_not_delivered_to_the_next() -> None:
    gate = Gate()
    with gate.work():
        assert gate.interrupt() is Reach.WAITING
    with gate.work():
        gate.open()
        gate.close()


def test_closing_takes_back_what_was_not_delivered() -> None:
    """The thread that owns the gate is suspended in a wait, where nothing can be delivered."""
    gate = Gate()
    opened, asked = threading.Event(), threading.Event()
    outcome: list[Any] = []

    def own() -> None:
        try:
            gate.open()
            opened.set()
            asked.wait(10)
        except KeyboardInterrupt:
            outcome.append("delivered inside")
        finally:
            outcome.append(gate.close())
        try:
            for _ in range(1000):
                pass
        except KeyboardInterrupt:
            outcome.append("delivered outside")

    thread = threading.Thread(target=own)
    thread.start()
    opened.wait(10)
    assert gate.interrupt() is Reach.RAISED
    asked.set()
    thread.join(10)
    assert "delivered outside" not in outcome
    assert gate.interrupt() is Reach.NOTHING


def test_an_interrupt_is_a_keyboard_interrupt_to_user_code() -> None:
    gate = Gate()
    opened = threading.Event()
    caught: list[BaseException] = []

    def own() -> None:
        try:
            gate.open()
            opened.set()
            while True:
                pass
        except KeyboardInterrupt as error:
            caught.append(error)
        finally:
            gate.close()

    thread = threading.Thread(target=own)
    thread.start()
    opened.wait(10)
    assert gate.interrupt() is Reach.RAISED
    thread.join(10)
    assert not thread.is_alive()
    assert type(caught[0]).__name__ == "KeyboardInterrupt"


class Rounds:
    """A thread that drives cells one after the other, and another one that interrupts all along."""

    def __init__(self, awaits: bool, catches: bool) -> None:
        self.awaits = awaits
        self.catches = catches
        self.gate = Gate()
        self.current: Interruptible | None = None
        self.done = threading.Event()
        self.results: Counter[str] = Counter()
        self.escaped: list[BaseException] = []

    @property
    def rounds(self) -> int:
        return sum(self.results.values())

    @property
    def hits(self) -> int:
        return self.results["interrupted"] + self.results["caught"]

    async def cell(self) -> str:
        try:
            total = 0
            for number in range(60):
                total += number
            if self.awaits:
                await asyncio.sleep(0)
            for number in range(60):
                total += number
        except KeyboardInterrupt:
            if self.catches:
                return "caught"
            raise
        return "finished"

    async def round(self) -> str:
        self.current = running = Interruptible(self.cell(), self.gate)
        try:
            return str(await running.run(awaits=self.awaits))
        except KeyboardInterrupt:
            return "interrupted"
        finally:
            self.current = None

    def work(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            while self.rounds < ROUNDS or self.hits < HITS:
                with self.gate.work():
                    result = loop.run_until_complete(self.round())
                self.results[result] += 1
                for _ in range(20):  # the engine's own code between two cells
                    pass
        except BaseException as error:
            self.escaped.append(error)
        finally:
            loop.close()
            self.done.set()

    def interrupt(self) -> None:
        while not self.done.is_set():
            running = self.current
            if self.gate.interrupt() is Reach.SUSPENDED and running is not None:
                try:
                    running.interrupt()
                except RuntimeError:  # its loop is closed: the last round is over
                    assert self.done.wait(10)


@pytest.mark.usefixtures("quick_switches")
@pytest.mark.parametrize("catches", [False, True], ids=["lets it through", "catches it"])
@pytest.mark.parametrize("awaits", [False, True], ids=["plain", "awaits"])
def test_it_never_lands_outside_user_code(
    monkeypatch: pytest.MonkeyPatch, awaits: bool, catches: bool
) -> None:
    # Python drops an exception that lands in a weak reference's callback or in __del__, wherever
    # those happen to run; the interrupt is lost then, but it hit nothing else.
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    rounds = Rounds(awaits, catches)
    threads = [threading.Thread(target=rounds.work), threading.Thread(target=rounds.interrupt)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive()
    assert rounds.escaped == []
    assert rounds.rounds >= ROUNDS
    assert rounds.hits >= HITS
    assert not rounds.gate.is_open


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def outcome(running: Interruptible) -> Any:
    """What a child does: a KeyboardInterrupt must not leave the task, it would end the loop."""
    try:
        return await running.run(awaits=True)
    except KeyboardInterrupt:
        return "interrupted"


@pytest.mark.parametrize("awaits", [False, True])
def test_results_and_errors_come_through(awaits: bool) -> None:
    async def good() -> int:
        return 42

    async def bad() -> int:
        raise ValueError("no")

    async def drive(coroutine: Any) -> Any:
        return await Interruptible(coroutine, Gate()).run(awaits=awaits)

    assert run(drive(good())) == 42
    with pytest.raises(ValueError, match="no"):
        run(drive(bad()))


def test_a_suspended_cell_gets_it_at_its_await_and_cleans_up() -> None:
    events: list[str] = []

    async def cell() -> None:
        try:
            await asyncio.Event().wait()
        except KeyboardInterrupt:
            events.append("interrupted")
            raise
        finally:
            await asyncio.sleep(0)
            events.append("cleaned up")

    async def drive() -> Any:
        running = Interruptible(cell(), Gate())
        task = asyncio.ensure_future(outcome(running))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.interrupt()
        return await task

    assert run(drive()) == "interrupted"
    assert events == ["interrupted", "cleaned up"]


def test_a_suspended_cell_may_catch_it_and_go_on() -> None:
    async def cell() -> str:
        try:
            await asyncio.Event().wait()
        except KeyboardInterrupt:
            await asyncio.sleep(0)
            return "went on"
        return "never"

    async def drive() -> Any:
        running = Interruptible(cell(), Gate())
        task = asyncio.ensure_future(outcome(running))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.interrupt()
        return await task

    assert run(drive()) == "went on"


def test_a_cancellation_of_its_own_is_no_interrupt() -> None:
    async def cell() -> str:
        inner = asyncio.ensure_future(asyncio.Event().wait())
        inner.cancel()
        try:
            await inner
        except asyncio.CancelledError:
            return "cancelled"
        return "never"

    async def drive() -> Any:
        return await Interruptible(cell(), Gate()).run(awaits=True)

    assert run(drive()) == "cancelled"


def test_an_interrupt_after_the_end_does_nothing() -> None:
    async def cell() -> int:
        return 1

    async def drive() -> int:
        running = Interruptible(cell(), Gate())
        assert await running.run(awaits=True) == 1
        running.interrupt()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return 2

    assert run(drive()) == 2


def test_a_gate_tells_code_of_a_task_from_a_cells() -> None:
    gate = Gate()
    gate.open(task=True)  # a cell has left the task, and has ended
    assert gate.of_task
    assert gate.in_loop
    assert gate.interrupt() is Reach.NOTHING
    gate.closing = True
    assert gate.close() is False
    with gate.work():
        assert not gate.in_loop
        assert gate.interrupt() is Reach.WAITING
        gate.open(task=True)  # before the cell's code: that one is waited for
        assert gate.close() is False
        with pytest.raises(KeyboardInterrupt):
            gate.open()
        gate.close()  # the cell awaits
        gate.open(task=True)
        assert gate.interrupt() is Reach.SUSPENDED
        gate.close()
        assert gate.interrupt() is Reach.SUSPENDED
    assert not gate.of_task


async def rounds_of(steps: list[str], done: threading.Event) -> None:
    async def step() -> None:
        try:
            for _ in range(5000):
                pass
            await asyncio.sleep(0)
            for _ in range(5000):
                pass
        except KeyboardInterrupt:
            steps.append("caught")
        else:
            steps.append("finished")

    while steps.count("caught") < TASK_HITS:
        await asyncio.gather(step(), step(), return_exceptions=True)  # it may come before `try`
    done.set()


@pytest.mark.usefixtures("quick_switches")
def test_in_tasks_it_never_lands_outside_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    gate, steps, done = Gate(), list[str](), threading.Event()
    loop = asyncio.new_event_loop()
    loop.set_task_factory(functools.partial(Task, gate=gate))

    def interrupt() -> None:
        while not done.is_set():
            gate.interrupt_task()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        living = Living(rounds_of(steps, done), loop=loop)  # a task that is none of a cell's
        living.add_done_callback(lambda _: loop.stop())
        while not living.done():
            with contextlib.suppress(KeyboardInterrupt):  # asyncio raises it once more
                loop.run_forever()
        living.result()
        assert done.is_set()
    finally:
        done.set()
        thread.join(10)
        loop.close()
    assert not gate.is_open
