"""IPython 9 keeps what a cell prints. This does so without replacing `sys.stdout.write`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

from IPython.core.history import HistoryOutput

from ipyext_patches.ports import Hooks


class Tee:
    """Main's `_tee`: a recorder per stream, which our own `OutStream.write` calls."""

    def __init__(self, main: Any, hooks: Hooks) -> None:
        self._main = main
        self._recorders = hooks.recorders

    @contextmanager
    def __call__(self, channel: str) -> Iterator[None]:
        former = self._recorders.get(channel)
        self._recorders[channel] = self._recorder(channel)
        try:
            yield
        finally:
            if former is None:
                self._recorders.pop(channel, None)
            else:
                self._recorders[channel] = former

    def _recorder(self, channel: str) -> Callable[[str], None]:
        main = self._main
        count = main.execution_count
        kind: Any = "out_stream" if channel == "stdout" else "err_stream"

        def record(text: str) -> None:
            if not text or (
                main.display_pub.is_publishing
                or main.displayhook.is_active
                or main.showing_traceback
            ):
                return
            outputs = main.history_manager.outputs[count]
            if not outputs or outputs[-1].output_type != kind:
                outputs.append(HistoryOutput(output_type=kind, bundle={"stream": []}))
            outputs[-1].bundle["stream"].append(text)

        return record

    def open(self, after_this_cell: Callable[[Callable[[], None]], None]) -> None:
        """IPython leaves an instance attribute `write` behind, which would hide the class's."""

        def uncover() -> None:
            for stream in (sys.stdout, sys.stderr):
                if _is_left_behind(stream):
                    del stream.write

        if main_in_cell(self._main):
            # The stock `_tee` of the loading cell is open, and puts its attribute back at the end.
            after_this_cell(uncover)
        else:
            uncover()

    def close(self) -> None:
        self._recorders.clear()


def _is_left_behind(stream: Any) -> bool:
    """Whether the `write` on the stream itself is a bound method of its class, now or formerly.

    Anything else was put there by another tool, and stays.
    """
    left = vars(stream).get("write")
    bound = type(type(stream).write.__get__(stream))  # another kind, if the method is wrapped
    return type(left) in (MethodType, bound) and left.__self__ is stream


def main_in_cell(main: Any) -> bool:
    """Whether a cell of main is being run, or was when the traps were taken over."""
    return bool(main.builtin_trap._nested_level > 1)
