"""Python's locks around imports, which an interrupt must not leave locked."""

from __future__ import annotations

import functools
import importlib
import threading
from typing import Any

from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

IMPORT_LOCKS = Patch(
    id="interrupt.import-locks",
    target="importlib._bootstrap: _get_module_lock, _lock_unlock_module, _ModuleLockManager",
    what="An interrupt arrives before or after the locks of an import are handled, never within.",
    why=(
        "A thread that waits for one, as it does whenever two import at once, gets the interrupt "
        "just as it gets the lock, and leaves it locked: nobody can import any more."
    ),
    upstream="Lib/importlib/_bootstrap.py; PyThreadState_SetAsyncExc",
    shape=function(),
)


def changes(ledger: Ledger, hooks: Hooks) -> list[Change]:
    """The three places where importlib takes or gives back a lock.

    Main waits for a module that another thread imports as in the stock kernel: its wait can be
    interrupted. That of another thread cannot in any case.
    """
    bootstrap: Any = importlib._bootstrap
    manager, switch = bootstrap._ModuleLockManager, ledger.switch
    stock_get, stock_wait = bootstrap._get_module_lock, bootstrap._lock_unlock_module
    stock_enter, stock_exit = manager.__enter__, manager.__exit__
    main = threading.main_thread().ident

    @functools.wraps(stock_get)
    def get_module_lock(name: str) -> Any:
        if not switch.on:
            return stock_get(name)
        with hooks.uninterrupted():
            return stock_get(name)

    @functools.wraps(stock_wait)
    def lock_unlock_module(name: str) -> None:
        if not switch.on or threading.get_ident() == main:
            stock_wait(name)
            return
        with hooks.uninterrupted():
            stock_wait(name)

    @functools.wraps(stock_enter)
    def enter(self: Any) -> None:
        if not switch.on or threading.get_ident() == main:
            stock_enter(self)
            return
        locked = False
        try:
            with hooks.uninterrupted():
                stock_enter(self)
                locked = True
        except KeyboardInterrupt:
            if locked:
                stock_exit(self)
            raise

    @functools.wraps(stock_exit)
    def leave(self: Any, *args: Any) -> None:
        locked = True
        try:
            with hooks.uninterrupted():
                stock_exit(self, *args)
                locked = False
                self._lock = None  # the last one to use a lock takes it off a table, under a lock
        except KeyboardInterrupt:
            if locked:
                stock_exit(self, *args)
            raise

    return [
        SetAttribute(IMPORT_LOCKS, bootstrap, "_get_module_lock", get_module_lock),
        SetAttribute(IMPORT_LOCKS, bootstrap, "_lock_unlock_module", lock_unlock_module),
        SetAttribute(IMPORT_LOCKS, manager, "__enter__", enter),
        SetAttribute(IMPORT_LOCKS, manager, "__exit__", leave),
    ]
