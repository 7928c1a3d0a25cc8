"""Patches of modules that may not be imported yet."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ipyext_patches.ledger import Action, Change, Ledger
from ipyext_patches.spec import Patch


class _ImportWatch:
    """A finder that calls `hooks[name](module)` after a module was imported. Finds nothing itself.

    wrapt has post-import hooks, but no way to take the finder out of `sys.meta_path` again.
    """

    def __init__(self, hooks: dict[str, Callable[[Any], None]]) -> None:
        self._hooks = hooks
        self._local = threading.local()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        hook = self._hooks.get(name)
        if hook is None or getattr(self._local, "asking", False):
            return None
        self._local.asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._local.asking = False
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module
        own = "exec_module" in vars(loader)  # another tool's

        def exec_module(module: Any) -> None:
            # The module keeps its loader, and would keep us and all that we hold.
            if own:
                loader.exec_module = execute
            else:
                del loader.exec_module
            execute(module)
            hook(module)

        loader.exec_module = exec_module
        return spec


def _imported(name: str) -> Any:
    """The module if it is imported, or is being imported: then as soon as that is done; or None."""
    if name not in sys.modules:
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def changes(
    watch: Patch, ledger: Ledger, makers: Mapping[str, Callable[[Any], list[Change]]]
) -> Iterator[Change]:
    """What `makers` make of the modules of these names: now, or as soon as they are imported."""
    there = {name: module for name in makers if (module := _imported(name)) is not None}
    for name, module in there.items():
        yield from makers[name](module)
    if len(there) == len(makers):
        return

    def imported(module: Any) -> None:
        if ledger.switch.on:
            ledger.add(makers[module.__name__](module))

    finder: Any = _ImportWatch(dict.fromkeys(makers, imported))

    def insert() -> None:
        sys.meta_path.insert(0, finder)

    def remove() -> None:
        sys.meta_path[:] = [found for found in sys.meta_path if found is not finder]

    yield Action(watch, insert, remove)
