"""The child subshells of a kernel: made, named, found, deleted. From any thread."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable
from typing import Any

from ipyext.errors import SubshellNameError, SubshellNotFoundError, TooManySubshellsError
from ipyext.shells.child import ChildShell

_NAME = re.compile(r"[^\W\d_][\w.-]{0,63}\Z")
DEFAULT_LIMIT = 2000
_TAKEN = frozenset({"main", "parent", "all"})


def check_name(name: str) -> str:
    """Return `name` if a subshell can have it.

    Raises:
        SubshellNameError: it cannot.
    """
    if not _NAME.match(name):
        raise SubshellNameError(
            name, "use a letter first, then letters, digits, '_', '-' and '.', 64 at most"
        )
    if name in _TAKEN:
        raise SubshellNameError(name, "that word has a meaning of its own here")
    return name


def delete_queued(child: ChildShell) -> None:
    """Close `child`; afterwards what was queued for it is answered with an error. Any thread."""
    for item in child.close():
        item.delete(child.label)


class Registry:
    """Children by id. The lock covers the table only; threads start and stop outside it.

    Args:
        new_child: makes a child from an id, a name, and whether it is ephemeral.
        close: closes a child and sees to what was queued for it; `delete_queued` if left out.
    """

    def __init__(
        self,
        new_child: Callable[[str, str | None, bool], ChildShell],
        close: Callable[[ChildShell], None] | None = None,
    ) -> None:
        self.limit = DEFAULT_LIMIT
        self._new_child = new_child
        self._close = close or delete_queued
        self._lock = threading.RLock()  # finalizers print, and who prints asks for the children
        self._children: dict[str, ChildShell] = {}
        self._zombies: list[ChildShell] = []
        self._culled: set[str] = set()

    def create(
        self, name: str | None = None, *, ephemeral: bool = False, shell_id: str | None = None
    ) -> ChildShell:
        """Make and start a child, by default with a new id.

        Raises:
            SubshellNameError: the name is taken or cannot be used.
            TooManySubshellsError: the limit, or the system's, is reached.
        """
        if name is not None:
            check_name(name)
        self._check_room()
        child = None
        try:
            child = self._new_child(shell_id or str(uuid.uuid4()), name, ephemeral)
            with self._lock:
                self._check_room()  # another thread may have taken the last place meanwhile
                self._check_free(name)
                self._children[str(child.id)] = child
            child.start()
        except BaseException as error:
            if child is not None:
                self.remove(child)
                child.discard()
            if isinstance(error, (OSError, RuntimeError)):  # descriptors, threads, memory
                why = f"the system allows no more ({error})"
                raise TooManySubshellsError(len(self._children), why) from error
            raise
        return child

    def named(self, name: str) -> ChildShell:
        """The child of that name (or id), made if there is none. Same errors as `create`."""
        while True:
            try:
                return self.find(name)
            except SubshellNotFoundError:
                try:
                    return self.create(name)
                except SubshellNameError:
                    # Another thread may have made it meanwhile, or the name is no name.
                    if not self._has(name):
                        raise

    def _has(self, name: str) -> bool:
        return any(child.name == name for child in self.all())

    def get(self, subshell_id: str) -> ChildShell | None:
        """The child with that id."""
        return self._children.get(subshell_id)

    def find(self, wanted: str) -> ChildShell:
        """The child with that name, id, or beginning of an id of at least four characters.

        Raises:
            SubshellNotFoundError: there is none, or more than one.
        """
        children = self.all()
        for child in children:
            if wanted in (child.id, child.name):
                return child
        found = [c for c in children if len(wanted) >= 4 and str(c.id).startswith(wanted)]
        if len(found) == 1:
            return found[0]
        raise SubshellNotFoundError(wanted, [child.label for child in children])

    def rename(self, child: ChildShell, name: str) -> None:
        """Give `child` another name; its thread is called by it too. Same errors as `create`."""
        check_name(name)
        with self._lock:
            if child.name != name:
                self._check_free(name)
            child.name = name
        child.thread.name = f"subshell-{name}"

    def _check_room(self) -> None:
        count = len(self._children)
        if count >= self.limit:
            raise TooManySubshellsError(count, f"IPyExt.max_subshells is {self.limit}")

    def _check_free(self, name: str | None) -> None:
        if name is not None and any(child.name == name for child in self._children.values()):
            raise SubshellNameError(name, "another subshell has that name; delete or rename it")

    def all(self) -> list[ChildShell]:
        """The children, oldest first."""
        with self._lock:
            return list(self._children.values())

    def zombies(self) -> list[ChildShell]:
        """Deleted children whose code does not end."""
        with self._lock:
            self._zombies = [z for z in self._zombies if z.thread.is_alive()]
            return list(self._zombies)

    def bury(self, child: ChildShell) -> None:
        """The thread of a deleted child is about to end. That thread."""
        with self._lock:
            if child in self._zombies:
                self._zombies.remove(child)

    def remove(self, child: ChildShell) -> bool:
        """Take `child` off the table; False if it was off already."""
        with self._lock:
            return self._children.pop(str(child.id), None) is not None

    def mourn(self, child: ChildShell) -> None:
        """Remember a deleted child until its thread ends."""
        with self._lock:
            self._zombies.append(child)

    def delete(self, child: ChildShell, *, from_within: Any = None) -> None:
        """Delete `child` without waiting for its code: see design G4.

        Its running request and the cells queued are answered with an error at once, comm messages
        go to main, its code is interrupted, and what it still prints is dropped. `from_within` is
        the request that asks for it, if it runs in this very child: that one is left to end by
        itself. Afterwards the thread of a child that was idle has ended.
        """
        if self.dismiss(child, from_within=from_within):
            self.settle(child)

    def dismiss(self, child: ChildShell, *, from_within: Any = None) -> bool:
        """As `delete`, but the thread may end a moment later; False if it was deleted before."""
        if not self.remove(child):
            return False
        self.end(child, from_within=from_within)
        return True

    def cull(self, child: ChildShell) -> None:
        """Delete a child that nobody seems to need, but `revive` it if somebody does."""
        self._culled.add(str(child.id))
        self.delete(child)

    def forget(self, subshell_id: str) -> bool:
        """Whether that child was culled, and from now on is deleted for good."""
        with self._lock:
            was_culled = subshell_id in self._culled
            self._culled.discard(subshell_id)
            return was_culled

    def revive(self, subshell_id: str) -> ChildShell | None:
        """Make a culled child anew, with its id; None if it was not culled. Errors as `create`."""
        return self.create(shell_id=subshell_id) if self.forget(subshell_id) else None

    def end(self, child: ChildShell, *, from_within: Any = None) -> None:
        """End a child that is in no table any more; else as `dismiss`."""
        self._close(child)
        current = child.current
        if current is not None and current is from_within:
            child.stop_after_current()
            return
        if current is not None:
            current.delete(child.label)
        self.mourn(child)
        child.stop()

    def settle(self, child: ChildShell) -> None:
        """Wait until the thread of a dismissed child has ended, if nothing runs in it.

        That takes the time of a thread switch. Bounded all the same: an idle child may have
        background tasks that do not let themselves be cancelled.
        """
        if child.current is None and threading.current_thread() is not child.thread:
            child.thread.join(0.2)
