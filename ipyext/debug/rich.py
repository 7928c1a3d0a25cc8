"""Values as a front end displays them: the bundles of richInspectVariables."""

from __future__ import annotations

import base64
import itertools
import math
import numbers
from collections.abc import Callable
from typing import Any

from ipyext.debug.parties import Message

Format = Callable[[Any], tuple[dict[str, Any], dict[str, Any]]]  # IPython's DisplayFormatter.format


def bundle(format_: Format, value: Any) -> Message:
    """The body of a response, which is JSON. In the thread that may run people's code.

    A representation that is not JSON is left out, as nothing can display it.

    Raises:
        ValueError: there are some, and none of them is JSON.
    """
    found, metadata = format_(value)
    data = _whole(found)
    if found and not data:
        raise ValueError(f"no representation is JSON; there are {', '.join(map(str, found))}")
    return {
        "data": data,
        "metadata": _whole({key: metadata[key] for key in metadata if key in data}),
    }


def _whole(found: dict[str, Any]) -> Message:
    """Those entries that are JSON."""
    kept = {}
    for key, value in found.items():
        try:
            kept[str(key)] = _json(value)
        except Exception:  # also of people's classes
            continue
    return kept


def _json(value: Any) -> Any:
    """As the kernel itself makes JSON of what cells display."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else repr(number)
    if isinstance(value, dict):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(one) for one in value]
    raise TypeError(f"{type(value).__name__} is not JSON")


class Bundles:
    """Bundles that are made in stopped threads, in frames that only debugpy can look into.

    debugpy evaluates a call of `show` there, and would shorten what that returned.
    """

    def __init__(self) -> None:
        self._keys = itertools.count(1)
        self._formats: dict[int, Format] = {}
        self._made: dict[int, Message] = {}

    def expect(self, format_: Format) -> int:
        """The key of a bundle to be made with `format_`, until `take`."""
        key = next(self._keys)
        self._formats[key] = format_
        return key

    def call(self, key: int, expression: str) -> str:
        """An expression for debugpy that makes the bundle of `expression`."""
        return f"__import__({__name__!r}, fromlist=['show']).show({key}, {expression})"

    def show(self, key: int, value: Any) -> None:
        """Make it. The thread that has stopped."""
        format_ = self._formats.get(key)
        if format_ is not None:
            self._made[key] = bundle(format_, value)

    def take(self, key: int) -> Message | None:
        """The bundle, if it was made; it is not expected any more."""
        self._formats.pop(key, None)
        return self._made.pop(key, None)


bundles = Bundles()
show = bundles.show
