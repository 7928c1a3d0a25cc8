"""Calling one of several functions without a frame of our own on the stack."""

from __future__ import annotations

import functools
import inspect
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


class FramelessMethod:
    """A method, put into the class `owner`. It is chosen when it is looked up, see `Frameless`.

    `choose` is given the object, and returns a function for it, or None for the method that is
    there already.
    """

    def __init__(self, owner: type, name: str, choose: Callable[[Any], Any]) -> None:
        self._plain: Any = inspect.getattr_static(owner, name)
        self._choose = choose

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:  # called by its class, as subclasses may do

            @functools.wraps(self._plain)
            def method(instance: Any, *args: Any, **kwargs: Any) -> Any:
                return self.__get__(instance)(*args, **kwargs)

            return method
        chosen = self._choose(instance)
        return (self._plain if chosen is None else chosen).__get__(instance, owner)
