"""The namespace of a child: main's variables, but `_`, `In`, `Out` and their kin its own."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import Any

RESERVED = frozenset({"_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "In", "Out"})
_NUMBERED = re.compile(r"_i?[0-9]+\Z")


def is_reserved(name: object) -> bool:
    """Whether IPython itself keeps `name` up to date, so that every shell needs its own."""
    return isinstance(name, str) and (name in RESERVED or _NUMBERED.match(name) is not None)


class ChildNamespace(MutableMapping, dict):  # type: ignore[type-arg,metaclass,misc]
    """Writes through to main's namespace, except for the reserved names.

    A `dict` by type only, because IPython 9 insists on one; every method is the mapping's.
    """

    def __init__(self, shared: dict[str, Any]) -> None:
        self.shared = shared
        self._own: dict[str, Any] = {}

    def _home(self, name: str) -> dict[str, Any]:
        return self._own if is_reserved(name) else self.shared

    def __getitem__(self, name: str) -> Any:
        return self._home(name)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._home(name)[name] = value

    def __delitem__(self, name: str) -> None:
        del self._home(name)[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._home(name)

    def __iter__(self) -> Iterator[str]:
        # Copies: the namespace of a running kernel changes under every reader.
        yield from self._own.copy()
        yield from (name for name in self.shared.copy() if not is_reserved(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True

    def copy(self) -> dict[str, Any]:
        """A plain dict of all that is in it, taken at one moment."""
        shared = self.shared.copy()  # in one step: it changes under every reader
        found = {name: value for name, value in shared.items() if not is_reserved(name)}
        return {**found, **self._own}

    def items(self) -> ItemsView[str, Any]:
        return self.copy().items()

    def update(self, other: Any = (), /, **more: Any) -> None:
        found = other.copy() if isinstance(other, ChildNamespace) else dict(other)
        for name, value in {**found, **more}.items():
            self[name] = value

    def values(self) -> ValuesView[Any]:
        return self.copy().values()

    def __eq__(self, other: object) -> bool:
        return self.copy() == (other.copy() if isinstance(other, ChildNamespace) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.copy())

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.copy(),)
