"""Every change to somebody else's object goes through a `Ledger`.

All or none: the targets are verified first, then changed in order; if one fails, those before it
are taken back. Reverting goes last first and by identity, because a wrapt wrapper compares equal
to what it wraps. References escape (ipykernel stores bound handlers in tables), so whatever we
install must look at `Switch.on` and, when it is off, do exactly what the original does.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import wrapt

from ipyext_patches import versions
from ipyext_patches.errors import PatchConflictError, UnsupportedTargetError
from ipyext_patches.spec import Patch, PatchReport, Wrapper

log = logging.getLogger("ipyext.patches")


class _Missing:
    def __repr__(self) -> str:
        return "<nothing>"


MISSING = _Missing()


@dataclass
class Switch:
    """Whether our replacements act (`on`) or only call their originals."""

    on: bool = False


@dataclass(eq=False)
class Change:
    """One change: verify, apply, revert. `revert` returns False if it had to be left inside."""

    patch: Patch

    def verify(self) -> None:
        """Raise `UnsupportedTargetError` unless the target looks as expected."""

    def apply(self) -> None:
        raise NotImplementedError

    def revert(self) -> bool:
        raise NotImplementedError

    def _check(self, found: object) -> None:
        if found is MISSING:
            self._refuse("missing", "the attribute that this release was checked with")
        problem = self.patch.shape.problem(found)
        if problem is not None:
            self._refuse(problem, self.patch.shape.words())

    def _refuse(self, found: str, expected: str) -> None:
        raise UnsupportedTargetError(
            f"{self.patch.target} (patch {self.patch.id!r})",
            found,
            expected,
            f"Another extension may have changed it: load ipyext first, or report this with your "
            f"versions ({versions.summary()}).",
        )


def _slot(owner: Any, name: str) -> Any:
    """What is stored on `owner` itself under `name`, not what attribute access would give."""
    return vars(owner).get(name, MISSING)


@dataclass(eq=False)
class SetAttribute(Change):
    """Put `value` on `owner`; reverting restores the former slot, or deletes a slot we made."""

    owner: Any
    name: str
    value: Any
    _former: Any = field(default=MISSING, init=False)

    def verify(self) -> None:
        self._check(inspect.getattr_static(self.owner, self.name, MISSING))

    def apply(self) -> None:
        self._former = _slot(self.owner, self.name)
        setattr(self.owner, self.name, self.value)

    def revert(self) -> bool:
        if _slot(self.owner, self.name) is not self.value:
            return False  # somebody stored their own on top; theirs calls ours, which is off
        if self._former is MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self._former)
        return True


@dataclass(eq=False)
class SetItem(Change):
    """Put `value` into `table`; reverting restores the former entry, or removes ours."""

    table: MutableMapping[Any, Any]
    key: Any
    value: Any
    _former: Any = field(default=MISSING, init=False)

    def apply(self) -> None:
        self._former = self.table.get(self.key, MISSING)
        self.table[self.key] = self.value

    def revert(self) -> bool:
        if self.table.get(self.key, MISSING) is not self.value:
            return False
        if self._former is MISSING:
            del self.table[self.key]
        else:
            self.table[self.key] = self._former
        return True


@dataclass(eq=False)
class Wrap(Change):
    """Wrap a function with wrapt; reverting removes our wrapper even from under another one."""

    owner: Any
    name: str
    wrapper: Wrapper
    switch: Switch
    _handle: Any = field(default=None, init=False)

    def verify(self) -> None:
        self._check(inspect.getattr_static(self.owner, self.name, MISSING))

    def apply(self) -> None:
        switch = self.switch
        self._handle = wrapt.wrap_object(
            self.owner, self.name, wrapt.FunctionWrapper, (self.wrapper, lambda: switch.on)
        )

    def revert(self) -> bool:
        try:
            wrapt.unwrap_object(self.owner, self.name, self._handle)
        except (wrapt.WrapperNotOutermostError, wrapt.WrapperNotFoundError):
            return False
        return True


@dataclass(eq=False)
class Action(Change):
    """A change that is not one attribute: sockets that move, a trap that stays open."""

    do: Callable[[], object]
    undo: Callable[[], object]

    def apply(self) -> None:
        self.do()

    def revert(self) -> bool:
        self.undo()
        return True


class Ledger:
    """The changes in force. `apply` and `revert` are for the thread that loads or unloads."""

    def __init__(self) -> None:
        self.switch = Switch()
        self._applied: list[Change] = []
        self._left: list[Change] = []

    def apply(self, changes: Sequence[Change]) -> None:
        """Verify all of `changes`, then apply them in order; afterwards all are in force or none.

        Raises:
            UnsupportedTargetError: a target does not look as expected; nothing was changed.
            PatchConflictError: a change failed; those before it were reverted.
        """
        self._applied.extend(self._apply(changes))
        self.switch.on = True

    def add(self, changes: Sequence[Change]) -> None:
        """As `apply`, for what comes later. Any thread.

        Nothing stays of it if `revert` has come, or comes meanwhile.
        """
        done = self._apply(changes)
        self._applied.extend(done)
        if self.switch.on:
            return
        for change in reversed(done):
            with contextlib.suppress(ValueError):  # it has been reverted already
                self._applied.remove(change)
                change.revert()

    @staticmethod
    def _apply(changes: Sequence[Change]) -> list[Change]:
        for change in changes:
            change.verify()
        done: list[Change] = []
        for change in changes:
            try:
                change.apply()
            except BaseException as error:
                for former in reversed(done):
                    try:
                        former.revert()
                    except Exception:
                        log.exception("Could not take back patch %s", former.patch.id)
                raise PatchConflictError(
                    change.patch.id, f"{type(error).__name__}: {error}"
                ) from error
            done.append(change)
        return done

    def revert(self) -> None:
        """Take every change back, last first, by identity; what others hold on to is switched off.

        Goes through to the end whatever happens on the way; the first error is raised afterwards.
        """
        self.switch.on = False
        failure: BaseException | None = None
        while self._applied:
            change = self._applied.pop()
            try:
                if not change.revert():
                    self._left.append(change)
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def report(self) -> list[PatchReport]:
        """What is in force, in the order it was applied, and what had to be left inside."""
        return [
            PatchReport(change.patch, place(change), state)
            for state, changes in (("applied", self._applied), ("left inside", self._left))
            for change in changes
        ]


def place(change: Change) -> str:
    """Where a change was made, for the report."""
    if isinstance(change, SetItem):
        return f"[{change.key!r}]"
    if isinstance(change, (SetAttribute, Wrap)):
        owner = change.owner
        if inspect.isclass(owner) or inspect.ismodule(owner):
            return f"{owner.__name__}.{change.name}"
        return f"<{type(owner).__name__}>.{change.name}"
    return "action"
