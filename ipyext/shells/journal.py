"""What cells have put out, kept for whoever has missed it: bounded, oldest cells dropped first.

Everything here happens in the iopub thread, which every message passes on its way out and which
no interrupt reaches; so there is no lock. Only `announce` may be called from anywhere.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

log = logging.getLogger("ipyext.journal")

MEGABYTE = 1_000_000
DEFAULT_LIMIT = 64 * MEGABYTE  # bytes
UPDATE = "update_display_data"
# Session's messages: identities, this, signature, header, parent header, metadata, content.
_DELIMITER = b"<IDS|MSG>"
# What Python needs for a message and for a cell beside their texts, measured and rounded up.
_MESSAGE = 300
_CELL = 1500
# Of a header, nothing else is needed; to unpack it takes longer than all the rest.
_TYPE = re.compile(rb'\{.*?"msg_type": ?"(\w+)"', re.DOTALL)
# One string each, not one for every message.
_KINDS = {k: k for k in ("stream", "display_data", "execute_result", "error", UPDATE)}

ShellName = tuple[str | None, str]  # id, None for main; label


class Message(NamedTuple):
    """One message of a cell, its content still packed.

    Attributes:
        number: its place among all messages, later ones higher.
        time: when it was sent, in seconds since the epoch.
        kind: its type.
        display_id: what an update_display_data updates.
    """

    number: int
    time: float
    kind: str
    content: bytes
    display_id: str | None

    @property
    def size(self) -> int:
        return len(self.content) + _MESSAGE


@dataclass(eq=False)
class Entry:
    """One cell and what it has put out.

    Attributes:
        shells: the shell whose execution count it has, then those that detached cells of it run in.
        code: what runs.
        began, ended: seconds since the epoch; `ended` is when its request was done with.
        jobs: the futures of cells that were detached from it.
        count: its execution count, once that is known.
        size: bytes that it is counted with.
        lost: messages of it that were dropped because it alone is too much.
        aside: what it puts out is not kept for the moment.
    """

    msg_id: str
    shells: list[ShellName]
    code: str
    began: float
    ended: float | None = None
    count: int | None = None
    size: int = 0
    lost: int = 0
    aside: bool = False
    messages: OrderedDict[int, Message] = field(default_factory=OrderedDict)
    jobs: list[Any] = field(default_factory=list)
    parents: list[bytes] = field(default_factory=list)  # its header, as it was packed
    _updates: dict[str, int] = field(default_factory=dict)
    _clears: bool = False  # with its next output

    @property
    def running(self) -> bool:
        return self.ended is None or not all(job.done() for job in self.jobs)

    def add(self, message: Message) -> None:
        """Keep `message`, and no longer what it hides from everybody."""
        if message.kind != UPDATE and self._clears:
            self.clear()
        if message.display_id is not None:
            former = self._updates.get(message.display_id)
            if former is not None:
                self.remove(former)
            self._updates[message.display_id] = message.number
        self.messages[message.number] = message
        self.size += message.size

    def remove(self, number: int) -> None:
        message = self.messages.pop(number)
        self.size -= message.size
        if message.display_id is not None:
            del self._updates[message.display_id]

    def clear_with_next(self) -> None:
        """What it shows goes as soon as it shows something else."""
        self._clears = True

    def clear(self) -> None:
        """It shows nothing any more. Its updates may be of what another cell shows, and stay."""
        self._clears = False
        self.lost = 0
        for message in [m for m in self.messages.values() if m.kind != UPDATE]:
            self.remove(message.number)

    def lose_oldest(self) -> None:
        self.remove(next(iter(self.messages)))
        self.lost += 1


class Journal:
    """The output of cells.

    Args:
        unpack: how the kernel's session reads a part of a message.

    Attributes:
        limit: how many bytes it may hold; see `set_limit`.
        size: how many it holds.
        dropped: cells that had to go.
    """

    def __init__(self, unpack: Callable[[bytes], Any]) -> None:
        self.limit = DEFAULT_LIMIT
        self.size = 0
        self.dropped = 0
        self.closed = False
        self._unpack = unpack
        self._count = 0
        self._announced: dict[str, Entry] = {}
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # last output last
        self._known: dict[bytes, Entry] = {}  # by parent header, so that it is read only once

    @property
    def entries(self) -> list[Entry]:
        """The cells, those with the latest output last."""
        return list(self._entries.values())

    def announce(self, msg_id: str, shell: ShellName, code: str, count: int | None = None) -> None:
        """The output of that cell, of which there is none so far, is to be kept. Any thread."""
        if self.closed:
            return
        # One step of the interpreter: `_find` takes it from there.
        self._announced[msg_id] = Entry(msg_id, [shell], code, time.time(), count=count)

    def record(self, frames: Sequence[Any]) -> None:
        """Keep a message that is about to be sent, if it is output of a cell."""
        if self.closed:
            return
        try:
            self._record(frames)
        except Exception:  # whatever others send, it is to be sent
            log.exception("A message on iopub is not kept")

    def _record(self, frames: Sequence[Any]) -> None:
        start = frames.index(_DELIMITER) + 2
        header, parent, _, content = frames[start : start + 4]
        entry = self._known.get(parent) or self._find(parent)
        if entry is None:
            return
        found = _TYPE.match(header)  # none if the session packs by other means than JSON
        msg_type = found[1].decode() if found else self._unpack(header)["msg_type"]
        kind = _KINDS.get(msg_type)
        if kind is not None:
            self._keep(entry, kind, content)
        elif msg_type == "execute_input":
            entry.count = self._unpack(content)["execution_count"]
        elif msg_type == "clear_output":
            if self._unpack(content).get("wait"):
                entry.clear_with_next()
            else:
                self._change(entry, entry.clear)
        elif msg_type == "status" and self._unpack(content)["execution_state"] == "idle":
            entry.ended = time.time()
            self._trim()

    def _find(self, parent: bytes) -> Entry | None:
        """The cell of a parent header that is seen for the first time."""
        msg_id = self._unpack(parent).get("msg_id")
        entry = self._entries.get(msg_id)
        if entry is None:
            entry = self._announced.pop(msg_id, None)
            if entry is None:
                return None
            self._entries[msg_id] = entry
            entry.size = _CELL + len(entry.code)
            self.size += entry.size
        self._known[parent] = entry
        entry.parents.append(parent)
        entry.size += len(parent)
        self.size += len(parent)
        return entry

    def _keep(self, entry: Entry, kind: str, content: bytes) -> None:
        if entry.aside or not self.limit:
            return
        display_id = None
        if kind == UPDATE:
            display_id = display_id_of(self._unpack(content))
            if display_id is None:
                return
        self._count += 1
        before = entry.size
        entry.add(Message(self._count, time.time(), kind, content, display_id))
        self.size += entry.size - before
        self._entries.move_to_end(entry.msg_id)
        self._trim(entry)

    def _change(self, entry: Entry, change: Callable[[], None]) -> None:
        before = entry.size
        change()
        self.size += entry.size - before

    def _trim(self, growing: Entry | None = None) -> None:
        """Drop what is too much: cells that have ended, then the oldest of those that have not."""
        while self.size > self.limit:
            ended = (e for e in self._entries.values() if not e.running and e is not growing)
            entry = next(ended, None)
            if entry is None:
                break
            self._drop(entry)
            self.dropped += bool(entry.messages)
        else:
            return
        for entry in self._entries.values():
            while self.size > self.limit and entry.messages:
                self._change(entry, entry.lose_oldest)

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.msg_id]
        for parent in entry.parents:
            del self._known[parent]
        self.size -= entry.size

    def set_limit(self, limit: int) -> None:
        """Hold that many bytes at most. 0: no output is kept."""
        self.limit = limit
        self._trim()

    def set_aside(self, msg_id: str, aside: bool) -> None:
        """Whether that cell shows again what others have put out, and it is not to be kept."""
        entry = self._entries.get(msg_id)
        if entry is not None:
            entry.aside = aside

    def add_job(self, msg_id: str, shell: ShellName, job: Any) -> None:
        """A cell that was detached from that one runs in that shell until its future is done."""
        entry = self._entries.get(msg_id)
        if entry is not None:
            entry.jobs.append(job)
            if shell not in entry.shells:
                entry.shells.append(shell)

    def end_job(self, msg_id: str, job: Any) -> None:
        """Forget such a cell, which has ended."""
        entry = self._entries.get(msg_id)
        if entry is not None and job in entry.jobs:
            entry.jobs.remove(job)
            if entry.ended is not None:
                entry.ended = time.time()

    def close(self) -> None:
        """Keep nothing of all this, and nothing from now on."""
        self.closed = True
        self.size = 0
        self._announced.clear()
        self._entries.clear()
        self._known.clear()


def display_id_of(content: Any) -> str | None:
    """The id of the display that a display_data or update_display_data is about."""
    found = (content.get("transient") or {}).get("display_id")
    return found if isinstance(found, str) else None
