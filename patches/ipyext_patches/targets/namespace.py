"""The namespace of a child: main's variables, but `_`, `In`, `Out` and their kin its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
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
        return {name: self[name] for name in self if name in self}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.copy(),)
