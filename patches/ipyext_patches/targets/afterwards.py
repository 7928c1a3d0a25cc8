"""What code of children puts out once the extension is gone, and goes the stock kernel's way.

That kernel asks a context variable for the parent of an output where it has one: streams from 6.29
on, displays and results from 7.0 on. Those of a child's own context are its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

from jupyter_client.session import extract_header

from ipyext_patches.ports import Context, Hooks
from ipyext_patches.targets.output import own_streams


class _Header(dict):  # type: ignore[type-arg]
    """The header of a child's request. Once its child is deleted, nothing can be sent with it."""

    def __init__(self, context: Context) -> None:
        super().__init__(extract_header(context.message))
        self._context = context

    def __getitem__(self, name: str) -> Any:
        self._check()
        return super().__getitem__(name)

    def items(self) -> Any:
        self._check()
        return super().items()

    def _check(self) -> None:
        if self._context.muted:  # as of a terminal that was closed
            raise ValueError("I/O operation on closed file: this subshell was deleted")


def prepare(context: Context | None, shell: Any) -> None:
    """`shell`, a child's, begins a cell. Its thread, in the context that the cell will have."""
    if context is not None:
        hooks = (shell.displayhook, shell.main.displayhook)
        _own(context, (*own_streams(), shell.display_pub, *hooks))


def _own(context: Context, owners: Iterable[Any]) -> None:
    header = _Header(context)
    for owner in owners:
        variable = getattr(owner, "_parent_header", None)
        if isinstance(variable, ContextVar):
            variable.set(header)


def settle(hooks: Hooks, display_pub: Any) -> None:
    """What the calling cell of a child still puts out after an unload goes under that cell.

    Up to 6.17 the stock kernel has one parent for the whole process (6.31 for displays): there
    this holds until main runs its next cell, and not at all if it runs one now. Call it when the
    changes are taken back.
    """
    context = hooks.current()
    if context is None or context.interactive is None:
        return
    owners: tuple[Any, ...] = (sys.stdout, sys.stderr, display_pub, sys.displayhook)
    _own(context, owners)
    for owner in owners:
        in_context = isinstance(getattr(owner, "_parent_header", None), ContextVar)
        if not in_context and hasattr(owner, "set_parent") and not hooks.main_busy():
            owner.set_parent(context.message)
