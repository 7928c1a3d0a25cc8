"""`sys.displayhook`: one for the process, and yet the calling shell's.

Python hands results to what is stored in `sys` under that name, so what is stored there stays
ours, and finds the calling shell. What code reads and assigns as `sys.displayhook` is a property
of the module, and belongs to its cell: IPython puts its hook back after each.
"""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ipyext_patches.ledger import Action, Change
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch

HOOK = Patch(
    id="ipython.displayhook",
    target="sys.displayhook, sys.__class__, IPython.core.display_trap.DisplayTrap (main's)",
    what="One display hook finds the calling shell; one that code assigns is its own cell's.",
    why=(
        "There is one for the process: cells, doctest and debuggers that set one for a while take "
        "the results of every other shell, and two that overlap undo each other."
    ),
    upstream="IPython/core/display_trap.py; Lib/doctest.py run; Lib/pdb.py default",
)
NAME = "displayhook"


class _DisplayHook:
    """What is stored as `sys.displayhook`. Holds main's display trap open."""

    def __init__(self, hooks: Hooks, main: Any, shell_here: Callable[[], Any]) -> None:
        self._hooks = hooks
        self._main = main
        self._trap = main.display_trap
        self._shell_here = shell_here
        self._on = False  # who holds on to us after an unload meets a plain attribute
        self._plain: Any = None  # what it is between main's cells
        # By request, so that none outlives its cell, however that ends.
        self._assigned: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._stock_class = type(sys)
        self._class = _module_class(self)

    def __call__(self, value: object = None) -> Any:
        if self._key() in self._assigned:
            return self.get()(value)
        captures = self._hooks.captures()
        if captures and captures[-1].displayhook is not None and not self._between_cells():
            return captures[-1].displayhook(value)
        return self.get()(value)

    def get(self) -> Any:
        """`sys.displayhook` of the calling code."""
        if not self._on:
            return vars(sys)[NAME]
        if self._between_cells():
            return self._plain
        return self._assigned.get(self._key(), self._stock())

    def set(self, value: Any) -> None:
        """Until its cell ends, or between main's cells for good, as without us."""
        if not self._on:
            vars(sys)[NAME] = value
        elif self._between_cells():
            self._plain = value
        elif value is self._stock():
            self._assigned.pop(self._key(), None)
        else:
            self._assigned[self._key()] = value

    def _key(self) -> Any:
        """The cell of the calling code; ourselves for the one that main was loaded in."""
        return self._hooks.current() or self._hooks.main_context() or self

    def _stock(self) -> Any:
        shell = self._shell_here()
        return self._trap.hook if shell is self._main else shell.displayhook

    def _between_cells(self) -> bool:
        """It is main's code, and main runs no cell. Children have the hook of a cell always."""
        return self._trap._nested_level == 1 and self._shell_here() is self._main

    def open(self) -> None:
        trap = self._trap
        found = sys.displayhook
        self._plain = trap.old_hook if trap._nested_level else found
        if trap._nested_level and found is not trap.hook:
            self._assigned[self] = found
        trap._nested_level += 1
        vars(sys)[NAME] = self
        self._on = True
        sys.__class__ = self._class

    def close(self) -> None:
        trap = self._trap
        trap._nested_level -= 1
        if type(sys) is self._class:  # else it is the base of somebody else's, and switched off
            sys.__class__ = self._stock_class
        self._on = False
        if trap._nested_level:  # a cell of main is running: as the stock kernel would have it
            trap.old_hook = self._plain
            key = self._hooks.main_context() or self
            sys.displayhook = self._assigned.get(key, trap.hook)
        else:
            sys.displayhook = self._plain


def _module_class(hook: _DisplayHook) -> type[ModuleType]:
    """The class of `sys` while the extension is loaded."""

    def reduce(module: ModuleType) -> Any:  # cloudpickle knows modules by their exact class
        return importlib.import_module, (module.__name__,)

    alive = weakref.ref(hook)  # what looks at `sys` may keep the class: completers do

    def get(module: ModuleType) -> Any:
        found = alive()
        return vars(sys)[NAME] if found is None else found.get()

    def assign(module: ModuleType, value: Any) -> None:
        found = alive()
        if found is None:
            vars(sys)[NAME] = value
        else:
            found.set(value)

    own = {
        NAME: property(get, assign),
        "__reduce__": reduce,
        "__module__": "builtins",
    }
    return type("module", (type(sys),), own)


def changes(hooks: Hooks, main: Any, shell_here: Callable[[], Any]) -> list[Change]:
    hook = _DisplayHook(hooks, main, shell_here)
    return [Action(HOOK, hook.open, hook.close)]
