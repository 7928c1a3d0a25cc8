"""IPython 9 keeps what a cell prints. This does so without replacing `sys.stdout.write`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.history import HistoryOutput

from ipyext_patches.ports import Hooks
from ipyext_patches.targets.output import own_streams, uncover


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

    def open(self, when_started: Callable[[Callable[[], None]], None]) -> None:
        """IPython leaves an instance attribute `write` behind, which would hide the class's."""
        for stream in own_streams():
            if not uncover(stream) and "write" in vars(stream):
                # Probably the stock `_tee` of the loading cell is open; it leaves its attribute at
                # the end, and before that cell's reply ipykernel flushes.
                stream.flush = _uncovering_flush(stream)
        when_started(_uncover_all)

    def close(self) -> None:
        for stream in own_streams():
            if getattr(vars(stream).get("flush"), "uncovers", False):
                vars(stream).pop("flush", None)
        self._recorders.clear()


def _uncover_all() -> None:
    for stream in own_streams():
        uncover(stream)


def _uncovering_flush(stream: Any) -> Callable[[], None]:
    """A `flush` that goes away when it has uncovered the stream's methods."""

    def flush() -> None:
        if uncover(stream):
            vars(stream).pop("flush", None)
        type(stream).flush(stream)

    flush.uncovers = True  # type: ignore[attr-defined]
    return flush
