"""What one cell has put out, as a notebook would hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ipyext.shells.journal import UPDATE, Entry, Message, ShellName, display_id_of

Output = dict[str, Any]

_FIELDS = {
    "stream": ("name", "text"),
    "display_data": ("data", "metadata", "transient"),
    "execute_result": ("data", "metadata", "transient", "execution_count"),
    "error": ("ename", "evalue", "traceback"),
}


@dataclass(frozen=True)
class CellOutput:
    """What a cell had put out when it was asked for.

    Attributes:
        msg_id: the id of the request that ran it.
        shells: names or ids of the shell that its execution count is of, then of those that run
            cells detached from it.
        count: its execution count; None if it has none.
        code: what it runs.
        began, ended: seconds since the epoch; `ended` is None while it runs.
        size: bytes that are kept of it.
        lost: messages that are not, because the cell alone has put out too much.
    """

    msg_id: str
    shells: tuple[str, ...]
    count: int | None
    code: str
    began: float
    ended: float | None
    size: int
    lost: int
    _shells: tuple[ShellName, ...] = field(repr=False, compare=False)
    _messages: tuple[Message, ...] = field(repr=False, compare=False)
    _updates: tuple[Message, ...] = field(repr=False, compare=False)  # of all cells
    _unpack: Callable[[bytes], Any] = field(repr=False, compare=False)

    @property
    def running(self) -> bool:
        """Whether it ran then, or a cell that was detached from it."""
        return self.ended is None

    @property
    def empty(self) -> bool:
        """Whether it has put out nothing of its own."""
        return not self.lost and all(message.kind == UPDATE for message in self._messages)

    @property
    def subshell_id(self) -> str | None:
        """JEP 91's id of the shell that its execution count is of; None for main."""
        return self._shells[0][0]

    def ran_in(self, name: str, subshell_id: str | None = None, *, counts: bool = False) -> bool:
        """Whether a shell of it has that name, id, or beginning of an id; or that id.

        Args:
            counts: it must be the shell that its execution count is of.
        """
        return any(
            name == label
            or (found_id is not None and found_id in (name, subshell_id))
            or (found_id is not None and len(name) >= 4 and found_id.startswith(name))
            for found_id, label in self._shells[: 1 if counts else None]
        )

    def outputs(self, since: float | None = None) -> list[Output]:
        """What a front end would show under the cell, in the form that notebook files have.

        Displays are as they were last updated, also by other cells, and have their display id in
        ``transient``. What was cleared is not there.

        Args:
            since: leave out what is older than this, in seconds since the epoch.
        """
        earliest = float("-inf") if since is None else since
        if not any(m.time >= earliest for m in (*self._messages[-1:], *self._updates)):
            return []
        return list(_joined(output for when, output in self._shown() if when >= earliest))

    def _shown(self) -> list[tuple[float, Output]]:
        """Each output, and when it was last changed."""
        shown: list[tuple[float, Output]] = []
        displays: dict[str, list[int]] = {}  # by id, where they are in `shown`
        own = {message.number for message in self._messages}
        for message in sorted({*self._messages, *self._updates}):
            content = self._unpack(message.content)
            display_id = display_id_of(content)
            places = displays.get(display_id, []) if display_id else []
            # As front ends do: to display something once more updates it where it was.
            for place in places:
                changed = {**shown[place][1], "data": content["data"]}
                changed["metadata"] = content.get("metadata", {})
                shown[place] = (message.time, changed)
            # Where the display itself was lost, its update is all there is of it.
            orphan = not places and self.lost and message.number in own
            if message.kind == UPDATE and not orphan:
                continue
            if display_id:
                displays[display_id] = [*places, len(shown)]
            kind = "display_data" if message.kind == UPDATE else message.kind
            fields = {name: content[name] for name in _FIELDS[kind] if name in content}
            shown.append((message.time, {"output_type": kind, **fields}))
        return shown


def _joined(outputs: Iterable[Output]) -> Iterator[Output]:
    """The same with neighbouring texts of one stream in one output."""
    name: str | None = None
    texts: list[str] = []
    for output in (*outputs, None):
        stream = output["name"] if output and output["output_type"] == "stream" else None
        if texts and stream != name:
            yield {"output_type": "stream", "name": name, "text": "".join(texts)}
            texts = []
        name = stream
        if stream is not None and output is not None:
            texts.append(output["text"])
        elif output is not None:
            yield output


def snapshots(entries: list[Entry], unpack: Callable[[bytes], Any]) -> list[CellOutput]:
    """The cells as they are now, the one that began first first. The iopub thread."""
    updates = tuple(m for entry in entries for m in entry.messages.values() if m.kind == UPDATE)
    return [
        CellOutput(
            msg_id=entry.msg_id,
            shells=tuple(label for _, label in entry.shells),
            count=entry.count,
            code=entry.code,
            began=entry.began,
            ended=None if entry.running else entry.ended,
            size=entry.size,
            lost=entry.lost,
            _shells=tuple(entry.shells),
            _messages=tuple(entry.messages.values()),
            _updates=updates,
            _unpack=unpack,
        )
        for entry in sorted(entries, key=lambda entry: entry.began)
    ]
