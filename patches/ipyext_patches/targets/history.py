"""IPython's history, per shell: a child's inputs are a session of their own, on disk too."""

from __future__ import annotations

import collections
import contextlib
import contextvars
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
PAUSE = 0.1  # seconds, between two writes


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
        self._closing = threading.Event()

    def start(self) -> None:
        """Start the thread, once. Any thread, but not where an interrupt may come."""
        with self._lock:
            if self._thread is None:
                self._closing.clear()
                self._thread = threading.Thread(
                    target=self._run, name="ipyext-history", daemon=True
                )
                self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
                self._thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
                contextvars.Context().run(self._thread.start)  # it works for no cell

    def put(self, key: object, label: str, line: int, source: str, raw: str) -> None:
        """Store an input of the child that `key` stands for. Any thread; takes no lock."""
        self._queue.put((key, label, line, source, raw))

    def close(self) -> None:
        """Write what is waiting and end the thread. Any other thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            self._closing.set()
            thread.join(10)

    def _run(self) -> None:
        sessions: dict[object, int] = {}
        counts: collections.Counter[object] = collections.Counter()
        with contextlib.closing(sqlite3.connect(self._file, timeout=30)) as connection:
            items: list[Any] = []
            while None not in items:
                items = [self._queue.get()]
                with contextlib.suppress(queue.Empty):
                    while True:
                        items.append(self._queue.get_nowait())
                inputs = [item for item in items if item is not None]
                with contextlib.suppress(sqlite3.Error):
                    sessions.update(self._write(connection, inputs, sessions))
                    counts.update(item[0] for item in inputs)
                # IPython's own writer stops for good when it finds the file locked for 5 s, so
                # it must not have to hit the moment between two of our transactions.
                self._closing.wait(PAUSE)
            with contextlib.suppress(sqlite3.Error), connection:
                now = datetime.datetime.now().isoformat(" ")
                connection.executemany(
                    "UPDATE sessions SET end = ?, num_cmds = ? WHERE session = ?",
                    [(now, counts[key], number) for key, number in sessions.items()],
                )

    def _write(
        self, connection: sqlite3.Connection, inputs: list[Any], sessions: dict[object, int]
    ) -> dict[object, int]:
        """Store `inputs` in one transaction; returns the sessions that it has begun for them."""
        begun: dict[object, int] = {}
        with connection:
            for key, label, line, source, raw in inputs:
                number = sessions.get(key) or begun.get(key)
                if number is None:
                    number = begun[key] = self._new_session(connection, label)
                connection.execute(
                    "INSERT OR IGNORE INTO history VALUES (?, ?, ?, ?)",
                    (number, line, source, raw),
                )
        return begun

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
        self._session = object()  # what the sink knows the session by; it must not keep us alive
        self.input_hist_parsed, self.input_hist_raw = [""], [""]
        self.output_hist, self.dir_hist = {}, main.dir_hist

    def store_inputs(self, line_num: int, source: str, source_raw: str | None = None) -> None:
        known = len(self.input_hist_raw)
        # Empty lines stand for a `%%subshell` line, which the code that runs does not have.
        super().store_inputs(line_num, source.lstrip("\n"), source_raw)
        self.db_input_cache.clear()  # IPython's own writer never comes for it
        if self.sink is not None and len(self.input_hist_raw) > known:  # `exit` is no history
            stored = self.input_hist_parsed[-1], self.input_hist_raw[-1]
            self.sink.put(self._session, self.label, line_num, *stored)

    def reset(self, new_session: bool = True) -> None:
        """As IPython's: a new session counts from one again, so it is one of its own on disk."""
        super().reset(new_session)
        if new_session:
            self._session = object()

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
        # As IPython's: negative numbers count from the end, and 0 is no end.
        start += len(entries) + 1 if start < 0 else 0
        end = stop if stop and stop > 0 else len(entries) + 1 + (stop or 0)
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
            wanted = 10 if n is None else n
            found = manager.get_tail(wanted, raw=raw, output=output, include_latest=True)
        elif hist_access_type == "range":
            found = manager.get_range(session, start, stop, raw=raw, output=output)
        elif hist_access_type == "search":
            found = manager.search(pattern or "*", raw=raw, output=output, n=n, unique=unique)
        return {"status": "ok", "history": list(found)}

    return [SetAttribute(HISTORY, kernel, "do_history", do_history)]
