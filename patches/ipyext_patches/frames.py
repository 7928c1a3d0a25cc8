"""Looking at what other threads are at."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

_looking = threading.RLock()


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Up to Python 3.11 no garbage is collected within: look at frames of other threads there.

    `sys._current_frames` and `frame.f_back` make frame objects, which may collect garbage. If
    that runs Python code, as ipykernel's own callback of 6.29 to 7.0 does, the other threads run
    on meanwhile, and the frame that is being looked at may be none any more: the process crashes.
    Keep it short. Any thread; one at a time. (Python/pystate.c _PyThread_CurrentFrames)
    """
    if sys.version_info >= (3, 12):
        yield
        return
    with _looking:
        enabled = gc.isenabled()
        try:
            gc.disable()
            yield
        finally:
            if enabled:
                gc.enable()
