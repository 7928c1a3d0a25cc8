"""Names that people give to places: ``In[3]:5``, ``worker/In[2]:1``, ``script.py:10``, ``work``."""

from __future__ import annotations

import contextlib
import linecache
import os
import re
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
            path = os.path.abspath(os.path.expanduser(found["file"]))
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
        return list(manager.input_hist_raw) if manager is not None else []

    def of_file(self, path: str) -> str | None:
        """``In[3]`` or ``NAME/In[3]`` for the file of a cell, the latest of that text."""
        if not path.startswith(self._engine.host.cell_prefix):
            return None
        code = "".join(self.lines(path)).rstrip("\n")
        main = self._engine.host.main.history_manager
        managers: list[tuple[str | None, Any]] = [(None, main)]
        managers += [(child.label, child.history) for child in self._engine.registry.all()]
        for label, manager in managers:
            codes = list(manager.input_hist_raw) if manager is not None else []
            for number in range(len(codes) - 1, 0, -1):
                if codes[number].rstrip("\n") == code:
                    name = f"In[{number + self._more(codes)}]"
                    return f"{label}/{name}" if label else name
        return None

    def shown(self, path: str, line: int) -> str:
        """A line of a file, for people."""
        return f"{self.of_file(path) or path}:{line}"

    def lines(self, path: str) -> list[str]:
        """The lines of a file, with their ends; none if it cannot be read."""
        if path.startswith(self._engine.host.cell_prefix):  # IPython keeps transformed lines
            with contextlib.suppress(OSError, UnicodeError), open(path, encoding="utf-8") as file:
                return file.readlines()
        with contextlib.suppress(Exception):  # others change that cache meanwhile
            return linecache.getlines(path)
        return []
