"""Breakpoints that are decided here, where they are hit, and log messages.

debugpy keeps one breakpoint a line. Unless all that clients want of it is to stop, its condition
is a call of `hit`, which asks each of them, and says log messages. debugpy itself would take any
exception for the text of a message, also the interrupt of the code that logs.

Evaluated in the thread that came by. An interrupt may end it between any two steps.
"""

from __future__ import annotations

import functools
import itertools
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from ipyext.debug.breakpoints import Breakpoint

_HIT = re.compile(r"\s*(==|>=|<=|>|<|%)?\s*(\d+)\s*$")
_BRACE = re.compile(r"([{}])")


class Places:
    """The places that are decided here.

    Attributes:
        spoken: called in the thread that came by: `said` has something new. Set by the router.
        leaving: called in the thread that came by: an interrupt is about to leave here. The same.
    """

    def __init__(self) -> None:
        self.spoken: Callable[[], None] = lambda: None
        self.leaving: Callable[[], None] = lambda: None
        self._keys = itertools.count(1)
        self._places: dict[int, list[Breakpoint]] = {}
        self._known: dict[tuple[int, ...], int] = {}
        self._counts: dict[int, itertools.count[int]] = {}
        self._said: deque[tuple[int, str]] = deque()
        self._against: dict[int, frozenset[int]] = {}  # by the thread that stops for others
        self._waiting = False  # somebody was told, and has not asked yet

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
        self._against.clear()

    @property
    def has_said(self) -> bool:
        """Whether `said` has something. Any thread."""
        return bool(self._said)

    def said(self) -> dict[int, str]:
        """What was said since this was asked last, by client. The router's thread.

        All at once: a loop that logs is faster than single events can be sent.
        """
        self._waiting = False  # first: what is said from here on is told again
        found: dict[int, list[str]] = {}
        while self._said:
            client, text = self._said.popleft()
            found.setdefault(client, []).append(text)
        return {client: "".join(texts) for client, texts in found.items()}

    def _say(self, client: int, text: str) -> None:
        self._said.append((client, text))
        if self._waiting:
            return
        try:
            self._waiting = True
            self.spoken()
        except BaseException:  # an interrupt; nobody may have been told
            self._waiting = False
            raise

    def hit(self, key: int, scope: dict[str, Any], local: dict[str, Any]) -> bool:
        """Whether somebody wants to stop here; log messages are on their way then."""
        owners = self._places.get(key, [])
        try:
            # Of all: each of them counts and logs for itself.
            against = frozenset(one.id for one in owners if not self._wants(one, scope, local))
        except BaseException:
            self.leaving()
            raise
        stops = len(against) < len(owners)
        if stops:
            self._against[threading.get_ident()] = against
        return stops

    def turned_down(self, thread: int) -> frozenset[int]:
        """Ids of the breakpoints that did not want the stop that this thread has come to.

        Once for each stop. Any thread.

        Args:
            thread: what Python calls its `ident`.
        """
        return self._against.pop(thread, frozenset())

    def _wants(self, one: Breakpoint, scope: dict[str, Any], local: dict[str, Any]) -> bool:
        wanted = one.wanted
        try:
            if wanted.get("condition") and not eval(_compiled(wanted["condition"]), scope, local):
                return False
            if wanted.get("hitCondition"):
                # Threads come by at the same time; both of these steps are atomic.
                count = next(self._counts.setdefault(one.id, itertools.count(1)))
                if not reached(str(wanted["hitCondition"]), count):
                    return False
            if wanted.get("logMessage"):
                self._say(one.client, filled(str(wanted["logMessage"]), scope, local) + "\n")
                return False
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit would end the tracing
            self._say(one.client, f"Breakpoint condition: {type(error).__name__}: {error}\n")
            return False
        return True


def reached(condition: str, count: int) -> bool:
    """Whether a hit condition holds at the `count`-th hit: N, ==N, >N, >=N, <N, <=N, %N.

    Raises:
        ValueError: it is none.
    """
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


def never(condition: str) -> bool:
    """Whether a hit condition holds at no hit at all: 0, < 1, % 0. Raises as `reached`."""
    number = int("".join(filter(str.isdecimal, condition)) or 0)
    return not any(reached(condition, count) for count in (1, max(1, number), number + 1))


def filled(message: str, scope: dict[str, Any], local: dict[str, Any]) -> str:
    """A log message with its {expressions} evaluated."""
    return "".join(
        part if code is None else _value(part, code, scope, local) for part, code in _parts(message)
    )


def _value(
    expression: str, code: CodeType | Exception, scope: dict[str, Any], local: dict[str, Any]
) -> str:
    try:
        if isinstance(code, Exception):
            raise code
        return str(eval(code, scope, local))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"{{{expression}: {type(error).__name__}: {error}}}"


@functools.lru_cache(256)
def _compiled(condition: str) -> CodeType:
    return compile(str(condition).strip(), "<condition>", "eval")


@functools.lru_cache(256)
def _parts(message: str) -> list[tuple[str, CodeType | Exception | None]]:
    """The text of a message and, compiled, its expressions, which may hold braces themselves."""
    found: list[tuple[str, CodeType | Exception | None]] = []
    for text, is_expression in _split(message):
        code: CodeType | Exception | None = None
        if is_expression:
            try:
                code = compile(text.strip(), "<log message>", "eval")
            except (SyntaxError, ValueError) as error:
                code = SyntaxError(getattr(error, "msg", str(error)))  # without a line
        found.append((text, code))
    return found


def _split(message: str) -> Iterator[tuple[str, bool]]:
    depth, held = 0, ""
    for part in _BRACE.split(message):
        if part == "}" and depth == 1:
            yield held, True
            depth, held = 0, ""
        elif part == "{" and depth == 0:
            yield held, False
            depth, held = 1, ""
        else:
            held += part
            depth += (part == "{") - (part == "}" and depth > 0)
    yield ("{" * (depth > 0)) + held, False


places = Places()
hit = places.hit
