"""The names of cells beside VS Code's Interactive Window, which has names of its own for its cells.

It puts a function in the place of `run_cell` of main's InteractiveShell, for good. That says in an
environment variable, which ipykernel's compiler obeys, what the cell is to be called, and tells
debugpy later which lines of a script those are. Every cell of main goes through it, whoever sent
it, and as long as one runs the variable holds for other threads' cells, too. Debuggers of other
front ends look for those by the path of their file.
"""

from __future__ import annotations

from typing import Any

from ipyext_patches.cell_files import CellFiles, file_of, given_name
from ipyext_patches.ports import Hooks


class CellNames:
    """Whose cells have which names: those of the Window its own, all others the paths of files.

    The Window is who ran a cell just before the function was there. Where that was before we were
    loaded, it is everybody who has not asked for a debugger on the control channel.

    Attributes:
        hooks: the engine, once it is there.
    """

    def __init__(self, main: Any, files: CellFiles) -> None:
        self.hooks: Hooks | None = None
        self._main = main
        self._files = files
        self._function = self._now()
        self._windows: set[str] | None = None if self._function is not None else set()
        self._last = ""

    def of(self, code: str) -> str:
        """The name of the calling cell, which has this text. The thread of its shell."""
        return given_name() if self.foreign() else file_of(code)

    def compiled(self, code: str, number: int) -> str:
        """The same, and keep in mind which cell has a name of the Window's.

        Args:
            code: the text.
            number: the execution count.
        """
        if not self.foreign():
            return file_of(code)
        name = given_name()
        self._files.named(number, code, name)
        return name

    def foreign(self) -> bool:
        """Whether the calling cell has a name of the Window's. The thread of its shell."""
        hooks = self.hooks
        context = None if hooks is None else hooks.current()
        if hooks is None or (context is not None and context.interactive is not None):
            return False  # a child's
        context = context or hooks.main_context()
        session = "" if context is None else str(context.message["header"].get("session"))
        self._follow(session)
        if not given_name().startswith("<"):
            return False
        if self._windows is None:
            return not hooks.debugger.knows(session)
        return session in self._windows

    def _follow(self, session: str) -> None:
        """Notice who has put the function there, or a new one."""
        function = self._now()
        if function is not self._function:
            self._function = function
            if function is None:
                self._windows = set()
            else:
                self._windows = {*(self._windows or ()), self._last}
        self._last = session

    def _now(self) -> Any:
        return vars(self._main).get("run_cell")
