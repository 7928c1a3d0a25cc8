"""A patch as data: what is replaced, where, why, and how the target must look."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """How a target must look for a patch to fit it.

    Attributes:
        kind: ``"function"``, ``"attribute"`` or ``"item"``.
        parameters: names that a function must accept first, in this order, ``self`` left out.
    """

    kind: str
    parameters: tuple[str, ...] = ()

    def words(self) -> str:
        """What is expected, for people."""
        if self.kind != "function":
            return f"an {self.kind}"
        if not self.parameters:
            return "a function"
        return f"a function of ({', '.join(self.parameters)}, ...)"

    def problem(self, found: object) -> str | None:
        """Why `found` does not fit, or ``None``. Runs no code of the target."""
        if self.kind != "function":
            return None
        if isinstance(found, (classmethod, staticmethod)):
            found = found.__func__
        if not callable(found):
            return f"not callable but {type(found).__name__}"
        if not self.parameters:
            return None
        try:
            signature = inspect.signature(found)
        except (TypeError, ValueError):
            return None  # implemented in C: nothing to compare
        names = tuple(name for name in signature.parameters if name not in ("self", "cls"))
        if names[: len(self.parameters)] != self.parameters:
            return f"a function of ({', '.join(names)})"
        return None


FUNCTION = Shape("function")
ATTRIBUTE = Shape("attribute")
ITEM = Shape("item")


def function(*parameters: str) -> Shape:
    """The shape of a function whose first parameters have these names."""
    return Shape("function", parameters)


@dataclass(frozen=True)
class Patch:
    """One documented difference between the stock kernel and an extended one.

    Attributes:
        id: stable name, shown by ``%subshell patches``.
        target: what is replaced, as a person would look it up.
        what: what the replacement does.
        why: what goes wrong without it.
        upstream: file, proposal or issue to read on.
        lanes: major versions of ipykernel that it is applied to.
        shape: how the target must look.
    """

    id: str
    target: str
    what: str
    why: str
    upstream: str
    lanes: tuple[int, ...] = (5, 6, 7)
    shape: Shape = ATTRIBUTE


@dataclass(frozen=True)
class PatchReport:
    """A patch as it stands now: ``applied``, ``reverted`` or ``left inside`` another's wrapper."""

    patch: Patch
    place: str
    state: str


Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
