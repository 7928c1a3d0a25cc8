"""Names that people give to places: ``In[3]:5``, ``worker/In[2]:1``, ``script.py:10``, ``work``."""

from __future__ import annotations

import contextlib
import linecache
import os
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ipyext.errors import DebuggerError

if TYPE_CHECKING:
    from ipyext.shells.engine import Engine

_CELL = re.compile(r"(?:(?P<shell>[^\s/\\]+)/)?In\[(?P<number>\d+)\](?::(?P<line>\d+))?\Z")
_FILE = re.compile(r"(?P<file>.+):(?P<line>\d+)\Z")


class Place(NamedTuple):
    """Where a breakpoint is to be: a line of a file, or a function."""

    path: str | None
    line: int
    function: str | None = None


class Names:
    """Finds places by name, and names for files. Any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def place(self, text: str) -> Place:
        """The place of that name; a cell is a file afterwards.

        Raises:
            DebuggerError: there is no such cell, line or file, or `text` is no place.
        """
        cell = _CELL.match(text)
        if cell is not None:
            if cell["line"] is None:
                raise DebuggerError(f"{text} needs a line: {text}:1, for instance.")
            return self._in_cell(cell["shell"], int(cell["number"]), int(cell["line"]))
        found = _FILE.match(text)
        if found is not None:
            path = _found(found["file"])
            if not os.path.isfile(path):
                raise DebuggerError(
                    f"There is no file {path}. Give its path, or a cell as In[3]:{found['line']}."
                )
            return Place(path, int(found["line"]))
        if text.isidentifier():
            return Place(None, 0, text)
        raise DebuggerError(
            f"{text!r} is no place for a breakpoint. Use FILE:LINE, In[N]:LINE for a cell of main, "
            "NAME/In[N]:LINE for one of a subshell, or the name of a function."
        )

    def _in_cell(self, shell: str | None, number: int, line: int) -> Place:
        code = self._code(shell, number)
        name = f"{shell}/In[{number}]" if shell else f"In[{number}]"
        count = len(code.splitlines())
        if not 1 <= line <= count:
            raise DebuggerError(f"{name} has {count} lines; there is no line {line}.")
        cells = self._engine.host.cells
        window = cells.name_of(number, code) if shell in (None, "main") else None
        if window is not None:
            return Place(window, max(1, line - _blank(code)))
        return Place(str(cells.write(cells.as_compiled(code))), line)

    def _code(self, shell: str | None, number: int) -> str:
        inputs = self._inputs(shell)
        more = self._more(inputs)
        if not 1 <= number - more < len(inputs) or not inputs[number - more]:
            whose = "main" if shell in (None, "main") else f"subshell {shell}"
            last = f"the last one is In[{len(inputs) - 1 + more}]"
            raise DebuggerError(
                f"There is no cell In[{number}] of {whose}: "
                f"{last if len(inputs) > 1 else 'it has run none'}."
            )
        return inputs[number - more]

    def _more(self, inputs: list[str]) -> int:
        """By how much the numbers of cells exceed their places in history: `%reset` does that."""
        votes: Counter[int] = Counter()
        seen = set()
        for place in range(len(inputs) - 1, max(0, len(inputs) - 20), -1):
            code = inputs[place]
            number = self._engine.host.cells.number_of(self._engine.host.main, code)
            if code not in seen and number is not None:
                votes[number - place] += 1
            seen.add(code)
        return max(votes, key=lambda more: (votes[more], -more), default=0)

    def _inputs(self, shell: str | None) -> list[str]:
        if shell in (None, "main"):
            manager = self._engine.host.main.history_manager
        else:
            manager = self._engine.registry.find(str(shell)).history
        return _raw(manager)

    def of_line(self, path: str, line: int, shell: str | None = None) -> tuple[str | None, int]:
        """``In[3]`` or ``NAME/In[3]`` for the file of a cell, the latest of its text; and the line.

        Several shells may have run a cell of that text: `shell`, where given, is asked first.
        The Interactive Window's cells are compiled without the blank lines that they begin with.
        """
        number, text = self._of_window(path)
        if number:
            return f"In[{number}]", line + _blank(text)
        if path.startswith(self._engine.host.cell_prefix):
            inputs = self._inputs(None)
            code = "".join(self.lines(path)).rstrip("\n")
            children = [(child.label, child.history) for child in self._engine.registry.all()]
            ran = [(None, inputs), *((name, _raw(one)) for name, one in children)]
            for label, codes in sorted(ran, key=lambda one: (one[0] or "main") != shell):
                for place in range(len(codes) - 1, 0, -1):
                    if codes[place].rstrip("\n") == code:
                        name = f"In[{place + self._more(codes)}]"
                        return (f"{label}/{name}" if label else name), line
        return None, line

    def shown(self, path: str, line: int) -> str:
        """A line of a file, for people."""
        cell, line = self.of_line(path, line)
        return f"{cell or path}:{line}"

    def _of_window(self, path: str) -> tuple[int, str]:
        """Number and text of the cell that the Interactive Window has named so; else 0."""
        if path.startswith("<"):
            inputs = self._inputs(None)
            more = self._more(inputs)
            for place in range(len(inputs) - 1, 0, -1):
                if self._engine.host.cells.name_of(place + more, inputs[place]) == path:
                    return place + more, inputs[place]
        return 0, ""

    def lines(self, path: str) -> list[str]:
        """The lines of a file or cell, with their ends; none if it cannot be read."""
        number, text = self._of_window(path)
        if number:
            return text.splitlines(keepends=True)
        if path.startswith(self._engine.host.cell_prefix):  # IPython keeps transformed lines
            with contextlib.suppress(OSError, UnicodeError), open(path, encoding="utf-8") as file:
                return file.readlines()
        with contextlib.suppress(Exception):  # others change that cache meanwhile
            return linecache.getlines(path)
        return []


def _found(file: str) -> str:
    """The file of that name: here, or else where modules are imported from."""
    here = os.path.abspath(os.path.expanduser(file))
    importable = (os.path.join(os.path.abspath(folder), file) for folder in sys.path)
    return next((path for path in (here, *importable) if os.path.isfile(path)), here)


def _raw(manager: Any) -> list[str]:
    """The inputs in a history, from 1 on."""
    return list(manager.input_hist_raw) if manager is not None else []


def _blank(code: str) -> int:
    """With how many blank lines it begins."""
    return code[: len(code) - len(code.lstrip())].count("\n")
