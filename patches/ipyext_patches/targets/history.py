"""IPython's history, per shell: a child's inputs are a session of their own, on disk too."""

from __future__ import annotations

import contextlib
import datetime
import fnmatch
import queue
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

from IPython.core.history import HistoryManager

from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

HISTORY = Patch(
    id="history.request",
    target="ipykernel.ipkernel.IPythonKernel.do_history",
    what="A history_request is answered for the shell that it is addressed to.",
    why="JEP 91: every subshell has its own history; the stock answer is always main's.",
    upstream="JEP 91; ipykernel/ipkernel.py do_history",
    shape=function("hist_access_type", "output", "raw"),
)


class HistorySink:
    """Writes the inputs of all children to IPython's database, in a thread of its own.

    One connection for any number of children, and no child waits for the disk. IPython's own
    writer uses the same file; SQLite's lock, with a generous timeout, keeps the two apart.
    """

    def __init__(self, hist_file: str) -> None:
        self._file = hist_file
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread, once. Any thread, but not where an interrupt may come."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="ipyext-history", daemon=True
                )
                self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
                self._thread.start()

    def put(self, key: object, label: str, line: int, source: str, raw: str) -> None:
        """Store an input of the child that `key` stands for. Any thread; takes no lock."""
        self._queue.put((key, label, line, source, raw))

    def close(self) -> None:
        """Write what is waiting and end the thread. Any other thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(10)

    def _run(self) -> None:
        sessions: dict[object, int] = {}
        counts: dict[object, int] = {}
        with contextlib.closing(sqlite3.connect(self._file, timeout=30)) as connection:
            while (item := self._queue.get()) is not None:
                key, label, line, source, raw = item
                with contextlib.suppress(sqlite3.Error), connection:
                    if key not in sessions:
                        sessions[key] = self._new_session(connection, label)
                    connection.execute(
                        "INSERT INTO history VALUES (?, ?, ?, ?)",
                        (sessions[key], line, source, raw),
                    )
                    counts[key] = counts.get(key, 0) + 1
            with contextlib.suppress(sqlite3.Error), connection:
                now = datetime.datetime.now().isoformat(" ")
                connection.executemany(
                    "UPDATE sessions SET end = ?, num_cmds = ? WHERE session = ?",
                    [(now, counts.get(key, 0), number) for key, number in sessions.items()],
                )

    @staticmethod
    def _new_session(connection: sqlite3.Connection, label: str) -> int:
        now = datetime.datetime.now().isoformat(" ")
        cursor = connection.execute(
            "INSERT INTO sessions VALUES (NULL, ?, NULL, NULL, ?)", (now, f"subshell {label}")
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid


class ChildHistory(HistoryManager):
    """The history of one child: in memory, and through the sink on disk.

    Sessions other than its own are read through main's manager.
    """

    main: Any = None
    sink: HistorySink | None = None
    label = ""

    def __init__(self, shell: Any, main: Any, sink: HistorySink | None, label: str) -> None:
        super().__init__(shell=shell, enabled=False)
        self.main, self.sink, self.label = main, sink, label
        self.input_hist_parsed, self.input_hist_raw = [""], [""]
        self.output_hist, self.dir_hist = {}, main.dir_hist

    def store_inputs(self, line_num: int, source: str, source_raw: str | None = None) -> None:
        super().store_inputs(line_num, source, source_raw)
        self.db_input_cache.clear()  # IPython's own writer never comes for it
        if self.sink is not None:
            self.sink.put(self, self.label, line_num, source, source_raw or source)

    def _entries(self, raw: bool, output: bool) -> list[tuple[int, int, Any]]:
        lines = self.input_hist_raw if raw else self.input_hist_parsed
        found: list[tuple[int, int, Any]] = []
        for number, line in enumerate(lines):
            if number:
                value = (line, self.output_hist_reprs.get(number)) if output else line
                found.append((0, number, value))
        return found

    def get_range(
        self,
        session: int = 0,
        start: int = 1,
        stop: int | None = None,
        raw: bool = True,
        output: bool = False,
    ) -> Iterator[Any]:
        if session:
            yield from self.main.get_range(session, start, stop, raw=raw, output=output)
            return
        entries = self._entries(raw, output)
        end = len(entries) + 1 if stop is None else stop + len(entries) + 1 if stop < 0 else stop
        yield from (entry for entry in entries if start <= entry[1] < end)

    def get_tail(  # type: ignore[override]
        self,
        n: int = 10,
        raw: bool = True,
        output: bool = False,
        include_latest: bool = False,
    ) -> list[Any]:
        entries = self._entries(raw, output)
        if not include_latest:
            entries = entries[:-1]
        return entries[-n:] if n else []

    def search(
        self,
        pattern: str = "*",
        raw: bool = True,
        search_raw: bool = True,
        output: bool = False,
        n: int | None = None,
        unique: bool = False,
    ) -> list[Any]:
        searched = self.input_hist_raw if search_raw else self.input_hist_parsed
        found = [
            entry
            for entry in self._entries(raw, output)
            if fnmatch.fnmatchcase(searched[entry[1]], pattern)
        ]
        if unique:
            found = list({str(entry[2]): entry for entry in found}.values())
        return found if n is None else found[-n:]


def changes(ledger: Ledger, hooks: Hooks, kernel: Any) -> list[Change]:
    original = kernel.do_history

    def do_history(
        hist_access_type: str,
        output: bool,
        raw: bool,
        session: int = 0,
        start: int = 0,
        stop: int | None = None,
        n: int | None = None,
        pattern: str | None = None,
        unique: bool = False,
    ) -> Any:
        manager = hooks.own_history() if ledger.switch.on else None
        if manager is None:
            return original(hist_access_type, output, raw, session, start, stop, n, pattern, unique)
        found: Any = []
        if hist_access_type == "tail":
            found = manager.get_tail(n or 0, raw=raw, output=output, include_latest=True)
        elif hist_access_type == "range":
            found = manager.get_range(session, start, stop, raw=raw, output=output)
        elif hist_access_type == "search":
            found = manager.search(pattern or "*", raw=raw, output=output, n=n, unique=unique)
        return {"status": "ok", "history": list(found)}

    return [SetAttribute(HISTORY, kernel, "do_history", do_history)]
