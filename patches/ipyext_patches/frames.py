"""Looking at what other threads are at."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Iterator

_looking = threading.RLock()
_stopped = False  # by this module


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
    global _stopped
    with _looking:
        enabled = gc.isenabled()
        try:
            _stopped = _stopped or enabled
            gc.disable()
            yield
        finally:
            if enabled:
                gc.enable()
                _stopped = False


def _forked() -> None:
    """In a process just forked, maybe while another thread was within: that one is not there."""
    global _looking, _stopped
    _looking = threading.RLock()
    if _stopped:
        _stopped = False
        gc.enable()


if sys.version_info < (3, 12) and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)  # for good: Python has no way back
