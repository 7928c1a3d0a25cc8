"""An exception in another thread: sent, delivered at some later bytecode, or taken back."""

from __future__ import annotations

import ctypes
import sys
import threading

_set = ctypes.pythonapi.PyThreadState_SetAsyncExc


class _TakenBack(BaseException):
    """Replaces an exception that was not delivered."""


_TAKEN_BACK = ctypes.py_object(_TakenBack)


def raise_in(thread_id: int, exception: type[BaseException]) -> None:
    """Have `exception` raised in another thread. Any thread.

    Up to Python 3.11 the whole interpreter has one flag "an exception waits", which stays up as
    long as that thread is in native code, and meanwhile 3.11 never gets beyond the beginning of a
    function that is traced (ceval.c DO_TRACING), in any thread. Raising one here takes the flag
    down; it goes up again when the other thread goes on (ceval_gil.h take_gil).
    """
    other, this = ctypes.c_ulong(thread_id), ctypes.c_ulong(threading.get_ident())
    sent = ctypes.py_object(exception)
    if sys.version_info >= (3, 12):
        _set(other, sent)
        return
    try:
        _set(other, sent)
        _set(this, _TAKEN_BACK)  # no call of a Python function before this
        while True:
            threading.get_ident()  # delivered after a call at the latest
    except _TakenBack:
        pass


def take_back() -> None:
    """Take back what was sent to the calling thread and not delivered.

    Not by sending None, which would leave the flag up for good, see `raise_in`.
    """
    try:
        _set(ctypes.c_ulong(threading.get_ident()), _TAKEN_BACK)
        while True:
            threading.get_ident()  # delivered after a call at the latest
    except _TakenBack:
        pass
