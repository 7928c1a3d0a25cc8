"""What clients have asked for, for as long as debugpy may refuse it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Change:
    """A client wants something else from now on.

    Attributes:
        client: its key.
        what: of which: a file, or a kind of breakpoint.
        former: what it wanted before.
    """

    client: int
    what: object
    former: Any


class Changes:
    """Those that debugpy has not answered yet, in order."""

    def __init__(self) -> None:
        self._open: list[Change] = []

    def begin(self, client: int, what: object, former: Any) -> Change:
        """A change is on its way."""
        self._open.append(Change(client, what, former))
        return self._open[-1]

    def made(self, change: Change) -> None:
        """It was accepted."""
        if change in self._open:
            self._open.remove(change)

    def refused(self, change: Change) -> bool:
        """It was not. Tells whether the client is to have what it wanted before.

        If not, the client has left, or has changed it again; that does not lead back here, then.
        """
        if change not in self._open:
            return False
        at = self._open.index(change)
        del self._open[at]
        for later in self._open[at:]:
            if (later.client, later.what) == (change.client, change.what):
                later.former = change.former
                return False
        return True

    def forget(self, client: int) -> None:
        """A client leaves: nothing of it comes back."""
        self._open = [one for one in self._open if one.client != client]
