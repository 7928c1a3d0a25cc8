"""Calling one of several functions without a frame of our own on the stack."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class Frameless:
    """Stands for `original`; a call goes to the function that `choose` returns.

    Python looks `__call__` up, which chooses, and then calls what it has found. So `choose` has
    returned by then: tracebacks, and code that looks at who has called it, do not see us.
    """

    def __init__(self, original: Any, choose: Callable[[], Callable[..., Any]]) -> None:
        functools.update_wrapper(self, original)
        self._choose = choose

    @property
    def __call__(self) -> Callable[..., Any]:
        return self._choose()
