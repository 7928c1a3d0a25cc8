"""What is kept of cells' output: how much, and what goes first."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from jupyter_client.session import Session, extract_header

from ipyext.shells.cell_output import CellOutput, snapshots
from ipyext.shells.journal import Entry, Journal

MAIN = (None, "main")
CHILD = ("1234-5678", "look")
PICTURE = {"data": {"image/png": "iVBOR"}, "metadata": {"width": 3}, "transient": {}}


class Kernel:
    """A journal, and a session that sends what cells put out."""

    def __init__(
        self,
        limit: int | None = None,
        pack: Callable[[Any], bytes] | None = None,
        unpack: Callable[[bytes], Any] | None = None,
    ) -> None:
        self.session = Session(key=b"key")
        self.session.pack = pack or self.session.pack
        self.session.unpack = unpack or self.session.unpack
        self.journal = Journal(self.session.unpack)
        if limit is not None:
            self.journal.set_limit(limit)
        self._counts: dict[str, int] = {}

    def begin(self, code: str = "pass", shell: tuple[str | None, str] = MAIN) -> Cell:
        cell = Cell(self, self.session.msg("execute_request", {"code": code}))
        self.journal.announce(cell.id, shell, code)
        count = self._counts[shell[1]] = self._counts.get(shell[1], 0) + 1
        cell.send("status", {"execution_state": "busy"})
        cell.send("execute_input", {"code": code, "execution_count": count})
        return cell

    def entry(self, cell: Cell) -> Entry | None:
        return next((e for e in self.journal.entries if e.msg_id == cell.id), None)

    def cells(self) -> list[CellOutput]:
        return snapshots(self.journal.entries, self.session.unpack)

    def outputs(self, cell: Cell, since: float | None = None) -> list[dict[str, Any]]:
        (found,) = [c for c in self.cells() if c.msg_id == cell.id]
        return found.outputs(since)

    def adds_up(self) -> None:
        """The sizes are those of what is there."""
        entries = self.journal.entries
        assert self.journal.size == sum(entry.size for entry in entries)
        for entry in entries:
            rest = entry.size - sum(message.size for message in entry.messages.values())
            assert 0 < rest < 3000 + len(entry.code)


class Cell:
    def __init__(self, kernel: Kernel, request: dict[str, Any]) -> None:
        self.id = request["header"]["msg_id"]
        self._kernel = kernel
        self._request = request

    def send(self, msg_type: str, content: dict[str, Any]) -> None:
        session = self._kernel.session
        message = session.msg(msg_type, content, parent=extract_header(self._request))
        self._kernel.journal.record(session.serialize(message, b"topic"))

    def prints(self, text: str, name: str = "stdout") -> None:
        self.send("stream", {"name": name, "text": text})

    def shows(self, text: str, display_id: str | None = None, *, update: bool = False) -> None:
        transient = {} if display_id is None else {"display_id": display_id}
        content = {"data": {"text/plain": text}, "metadata": {}, "transient": transient}
        self.send("update_display_data" if update else "display_data", content)

    def ends(self) -> None:
        self.send("status", {"execution_state": "idle"})


def texts(outputs: list[dict[str, Any]]) -> list[str]:
    return [o["text"] if o["output_type"] == "stream" else o["data"]["text/plain"] for o in outputs]


# -- what is kept ----------------------------------------------------------------------------------


def test_every_kind_of_output() -> None:
    kernel = Kernel()
    cell = kernel.begin("1 + 1\n2")
    cell.prints("one ")
    cell.prints("two\n")
    cell.prints("oh", "stderr")
    cell.prints("three")
    cell.send("display_data", PICTURE)
    cell.send("execute_result", {"data": {"text/plain": "4"}, "metadata": {}, "execution_count": 1})
    cell.send("error", {"ename": "E", "evalue": "v", "traceback": ["t1", "t2"]})
    assert kernel.outputs(cell) == [
        {"output_type": "stream", "name": "stdout", "text": "one two\n"},
        {"output_type": "stream", "name": "stderr", "text": "oh"},
        {"output_type": "stream", "name": "stdout", "text": "three"},
        {"output_type": "display_data", **PICTURE},
        {
            "output_type": "execute_result",
            "data": {"text/plain": "4"},
            "metadata": {},
            "execution_count": 1,
        },
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t1", "t2"]},
    ]


def test_whatever_the_session_packs_with() -> None:
    for pack, unpack in ((None, None), (compact, None), (pickle.dumps, pickle.loads)):
        kernel = Kernel(pack=pack, unpack=unpack)
        kernel.session.username = '"msg_type": "stream"'
        cell = kernel.begin()
        cell.send("comm_msg", {"text": "no"})
        cell.prints("text")
        assert texts(kernel.outputs(cell)) == ["text"]


def compact(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), default=str).encode()


def test_what_is_known_of_a_cell() -> None:
    kernel = Kernel()
    first, second = kernel.begin("a = 1"), kernel.begin("print(2)", CHILD)
    second.prints("2")
    second.ends()
    first.prints("1")
    one, two = kernel.cells()
    assert (one.msg_id, one.shells, one.count, one.code) == (first.id, ("main",), 1, "a = 1")
    assert (two.msg_id, two.shells, two.count, two.code) == (second.id, ("look",), 1, "print(2)")
    assert (one.subshell_id, two.subshell_id) == (None, CHILD[0])
    assert one.running
    assert two.ended is not None
    assert one.began <= two.began <= two.ended
    assert (one.empty, one.lost) == (False, 0)


def test_what_is_no_output_of_a_cell() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    for msg_type in ("comm_open", "comm_msg", "comm_close", "debug_event", "anything"):
        cell.send(msg_type, {"data": {"text/plain": "no"}})
    Cell(kernel, kernel.session.msg("comm_msg", {})).prints("from a callback")
    Cell(kernel, kernel.session.msg("execute_request", {})).prints("of nobody who was announced")
    kernel.journal.record([b"broken"])
    kernel.journal.record(kernel.session.serialize(kernel.session.msg("stream", {}), b"topic"))
    assert [c.msg_id for c in kernel.cells()] == [cell.id]
    assert kernel.outputs(cell) == []
    kernel.adds_up()


@pytest.mark.parametrize("name", ["look", "1234-5678", "1234"])
def test_cells_of_a_shell(name: str) -> None:
    kernel = Kernel()
    kernel.begin()
    kernel.begin(shell=CHILD)
    main, look = kernel.cells()
    assert look.ran_in(name)
    assert not main.ran_in(name)
    assert look.ran_in("renamed", CHILD[0])
    assert not look.ran_in("123")
    assert main.ran_in("main")
    assert not main.ran_in("None")


def test_detached_cells_belong_to_both_shells_and_run_on() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    jobs: list[Future[None]] = [Future(), Future()]
    for job in jobs:
        kernel.journal.add_job(cell.id, CHILD, job)
    cell.ends()
    (found,) = kernel.cells()
    assert found.shells == ("main", "look")
    assert found.ran_in("look")
    assert not found.ran_in("look", counts=True)
    assert found.ran_in("main", counts=True)
    jobs[0].set_result(None)
    kernel.journal.end_job(cell.id, jobs[0])
    assert kernel.cells()[0].running
    jobs[1].set_result(None)
    assert not kernel.cells()[0].running  # as soon as its own people know
    before = kernel.cells()[0].ended
    kernel.journal.end_job(cell.id, jobs[1])
    after = kernel.cells()[0].ended
    assert before is not None
    assert after is not None
    assert after > before


# -- what others hide ------------------------------------------------------------------------------


def test_cleared_output_is_gone() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    cell.prints("old")
    cell.send("clear_output", {"wait": False})
    assert kernel.outputs(cell) == []
    cell.prints("new")
    assert texts(kernel.outputs(cell)) == ["new"]
    kernel.adds_up()


def test_output_cleared_with_the_next_is_there_until_then() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    cell.prints("old")
    cell.send("clear_output", {"wait": True})
    assert texts(kernel.outputs(cell)) == ["old"]
    cell.prints("new")
    cell.prints(" newer")
    assert texts(kernel.outputs(cell)) == ["new newer"]
    kernel.adds_up()


def test_displays_are_as_they_were_last_updated() -> None:
    kernel = Kernel()
    cell, other = kernel.begin(), kernel.begin()
    cell.shows("a0", "a")
    cell.shows("b0", "b")
    cell.prints("text")
    cell.shows("a1", "a", update=True)
    other.shows("b1", "b", update=True)
    cell.shows("a2", "a", update=True)
    assert texts(kernel.outputs(cell)) == ["a2", "b1", "text"]
    assert kernel.outputs(other) == []
    assert [c.empty for c in kernel.cells()] == [False, True]
    cell.shows("b2", "b", update=True)
    assert texts(kernel.outputs(cell)) == ["a2", "b2", "text"]
    kernel.adds_up()


def test_a_display_that_is_shown_again_updates_the_first() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    cell.shows("a0", "a")
    cell.shows("a1", "a")
    assert texts(kernel.outputs(cell)) == ["a1", "a1"]
    cell.shows("a2", "a", update=True)
    assert texts(kernel.outputs(cell)) == ["a2", "a2"]


def test_updates_without_a_display_show_nothing() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    cell.shows("u", "unknown", update=True)
    cell.send("update_display_data", {"data": {}, "metadata": {}})
    assert kernel.outputs(cell) == []


def test_of_many_updates_one_is_kept() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    cell.shows("0", "a")
    for number in range(100):
        cell.shows(str(number), "a", update=True)
    entry = kernel.entry(cell)
    assert entry is not None
    assert len(entry.messages) == 2
    kernel.adds_up()


def test_an_update_outlives_what_its_cell_has_cleared() -> None:
    kernel = Kernel()
    cell, other = kernel.begin(), kernel.begin()
    cell.shows("a0", "a")
    other.shows("a1", "a", update=True)
    other.prints("gone")
    other.send("clear_output", {"wait": False})
    assert texts(kernel.outputs(cell)) == ["a1"]
    assert kernel.outputs(other) == []
    kernel.adds_up()


def test_since(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    kernel = Kernel()
    cell = kernel.begin()
    cell.prints("old ")
    cell.shows("changed later", "a")
    cell.shows("old", "b")
    now = 2000.0
    cell.prints("new ")
    kernel.begin().shows("changed", "a", update=True)
    assert texts(kernel.outputs(cell, 1000.0)) == ["old ", "changed", "old", "new "]
    assert texts(kernel.outputs(cell, 1000.1)) == ["changed", "new "]
    assert texts(kernel.outputs(cell, 2000.1)) == []


# -- how much --------------------------------------------------------------------------------------


def test_the_cell_with_the_oldest_output_goes_first_and_whole() -> None:
    kernel = Kernel(200_000)
    cells = [kernel.begin(f"{number}") for number in range(3)]
    for cell in cells:
        cell.prints("x" * 25_000)
        cell.prints("y" * 25_000)
        cell.ends()
    cells[0].prints("late, from a thread that it has started")
    extra = kernel.begin()
    extra.prints("z" * 60_000)
    assert kernel.entry(cells[1]) is None
    assert [len(texts(kernel.outputs(c))[0]) for c in (cells[2], extra)] == [50_000, 60_000]
    assert kernel.outputs(cells[0])
    assert kernel.journal.dropped == 1
    assert kernel.journal.size <= 200_000
    kernel.adds_up()
    cells[1].prints("nobody knows it any more")
    assert kernel.entry(cells[1]) is None


def test_cells_that_run_are_kept_longer() -> None:
    kernel = Kernel(200_000)
    runs = kernel.begin("while True: ...")
    runs.prints("kept" * 5000)
    for _ in range(50):
        cell = kernel.begin()
        cell.prints("x" * 20_000)
        cell.ends()
    assert kernel.outputs(runs)
    detached = kernel.begin()
    kernel.journal.add_job(detached.id, CHILD, Future())
    detached.prints("kept, too")
    detached.ends()
    for _ in range(50):
        cell = kernel.begin()
        cell.prints("x" * 20_000)
        cell.ends()
    assert kernel.outputs(detached)
    assert kernel.outputs(runs)
    assert kernel.journal.size <= 200_000
    kernel.adds_up()


def test_of_a_cell_that_is_too_much_alone_the_latest_is_kept() -> None:
    kernel = Kernel(100_000)
    cell = kernel.begin()
    cell.shows("a0", "a")
    for number in range(200):
        cell.prints(f"{number:1000}\n")
    cell.shows("a1", "a", update=True)
    (found,) = kernel.cells()
    text, shown = texts(found.outputs())
    kept = text.split()
    assert kept == [str(number) for number in range(200 - len(kept), 200)]
    assert shown == "a1"  # where it is, since there is no display left that it could update
    assert found.lost == 201 - len(kept)
    assert 50_000 < kernel.journal.size <= 100_000
    assert kernel.journal.dropped == 0
    kernel.adds_up()
    cell.send("clear_output", {"wait": False})
    assert kernel.cells()[0].lost == 0


def test_a_message_that_is_too_much_alone_is_lost() -> None:
    kernel = Kernel(10_000)
    cell = kernel.begin()
    cell.prints("x" * 20_000)
    cell.prints("after it")
    (found,) = kernel.cells()
    assert texts(found.outputs()) == ["after it"]
    assert found.lost == 1
    kernel.adds_up()


def test_a_smaller_limit_is_in_force_at_once() -> None:
    kernel = Kernel()
    for _ in range(10):
        cell = kernel.begin()
        cell.prints("x" * 10_000)
        cell.ends()
    kernel.journal.set_limit(50_000)
    assert kernel.journal.size <= 50_000
    assert 2 < len(kernel.cells()) < 5
    kernel.adds_up()


def test_without_room_nothing_is_kept() -> None:
    kernel = Kernel(0)
    cell = kernel.begin()
    cell.prints("x")
    assert kernel.outputs(cell) == []
    cell.ends()
    assert kernel.cells() == []
    assert kernel.journal.size == 0


@pytest.mark.parametrize("length", [1, 1000, 100_000])
def test_the_limit_is_one_of_memory(length: int) -> None:
    kernel = Kernel(400_000)
    cell = kernel.begin()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(600_000 // (length + 300)):
            cell.shows("x" * length, f"{number}")
        assert kernel.journal.size > 290_000
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert used < 440_000


def test_many_cells_without_output_are_not_too_much() -> None:
    kernel = Kernel(400_000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(400):
            kernel.begin("x" * 100).ends()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kernel.journal.size <= 400_000
    assert used < 440_000
    assert kernel.journal.dropped == 0  # none of them had anything to lose


# -- what is not kept ------------------------------------------------------------------------------


def test_what_is_shown_again_is_not_kept_again() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    cell.prints("own ")
    kernel.journal.set_aside(cell.id, True)
    cell.prints("shown again ")
    kernel.journal.set_aside(cell.id, False)
    cell.prints("own too")
    assert texts(kernel.outputs(cell)) == ["own own too"]


def test_after_the_end_nothing_is_kept() -> None:
    kernel = Kernel()
    cell = kernel.begin()
    cell.prints("x")
    kernel.journal.close()
    cell.prints("y")
    kernel.begin().prints("z")
    assert kernel.cells() == []
    assert kernel.journal.size == 0
