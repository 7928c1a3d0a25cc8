"""Breakpoints of several clients at one place, decided where they are hit.

debugpy keeps one breakpoint a line. Where clients want different things of the same line, its
condition is a call of `hit`, which asks each of them. Evaluated in the thread that came by.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

from ipyext.debug.breakpoints import Breakpoint

_HIT = re.compile(r"\s*(==|>=|<=|>|<|%)?\s*(\d+)\s*$")
_PART = re.compile(r"\{([^{}]*)\}")


class Places:
    """The places that are decided here.

    Attributes:
        say: where log messages go: (client, text). Set by the router.
    """

    def __init__(self) -> None:
        self.say: Callable[[int, str], None] = lambda client, text: None
        self._keys = itertools.count(1)
        self._places: dict[int, list[Breakpoint]] = {}
        self._known: dict[tuple[int, ...], int] = {}
        self._counts: dict[int, itertools.count[int]] = {}

    def condition(self, owners: list[Breakpoint]) -> str:
        """A condition for debugpy that asks each of `owners`."""
        ids = tuple(one.id for one in owners)
        if ids not in self._known:  # the same place is set again whenever its file changes
            self._known[ids] = next(self._keys)
            self._places[self._known[ids]] = list(owners)
        key = self._known[ids]
        module = f"__import__({__name__!r}, fromlist=['hit'])"
        return f"{module}.hit({key}, globals(), locals())"

    def clear(self) -> None:
        """Nobody asks any more."""
        self._places.clear()
        self._known.clear()
        self._counts.clear()

    def hit(self, key: int, scope: dict[str, Any], local: dict[str, Any]) -> bool:
        """Whether somebody wants to stop here; log messages are on their way then."""
        wanted = [self._wants(one, scope, local) for one in self._places.get(key, [])]
        return any(wanted)  # of all: each of them counts and logs for itself

    def _wants(self, one: Breakpoint, scope: dict[str, Any], local: dict[str, Any]) -> bool:
        wanted = one.wanted
        try:
            if wanted.get("condition") and not eval(wanted["condition"], scope, local):
                return False
            if wanted.get("hitCondition"):
                # Threads come by at the same time; both of these steps are atomic.
                count = next(self._counts.setdefault(one.id, itertools.count(1)))
                if not reached(str(wanted["hitCondition"]), count):
                    return False
            if wanted.get("logMessage"):
                self.say(one.client, filled(str(wanted["logMessage"]), scope, local) + "\n")
                return False
        except Exception as error:
            self.say(one.client, f"Breakpoint condition: {type(error).__name__}: {error}\n")
            return False
        return True


def reached(condition: str, count: int) -> bool:
    """Whether a hit condition holds at the `count`-th hit: N, ==N, >N, >=N, <N, <=N, %N."""
    found = _HIT.match(condition)
    if found is None:
        raise ValueError(f"{condition!r} is no hit condition; use for example 5, >= 5 or % 5")
    operator, number = found.group(1) or "==", int(found.group(2))
    return {
        "==": count == number,
        ">=": count >= number,
        "<=": count <= number,
        ">": count > number,
        "<": count < number,
        "%": number > 0 and count % number == 0,
    }[operator]


def filled(message: str, scope: dict[str, Any], local: dict[str, Any]) -> str:
    """A log message with its {expressions} evaluated."""

    def value(part: re.Match[str]) -> str:
        try:
            return str(eval(part.group(1), scope, local))
        except Exception as error:
            return f"{{{part.group(1)}: {type(error).__name__}: {error}}}"

    return _PART.sub(value, message)


places = Places()
hit = places.hit
