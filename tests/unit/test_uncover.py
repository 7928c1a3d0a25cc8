"""Taking a hiding `write` off a stream, which several threads may be at."""

from __future__ import annotations

import threading
from types import MethodType
from typing import Any

from ipyext_patches.targets.output import uncover


class Stream:
    """Its `write` can be looked up while another thread uncovers it."""

    def __init__(self) -> None:
        self.looked_up: Any = lambda: None
        vars(self)["write"] = MethodType(print, self)

    class Write:
        def __get__(self, stream: Any, owner: Any = None) -> Any:
            if stream is None:
                return self
            stream.looked_up()
            return MethodType(print, stream)

    write = Write()


def test_once() -> None:
    stream = Stream()
    assert uncover(stream)
    assert not uncover(stream)


def test_another_thread_is_quicker() -> None:
    stream, others = Stream(), []

    def other() -> None:
        stream.looked_up = lambda: None
        thread = threading.Thread(target=lambda: others.append(uncover(stream)))
        thread.start()
        thread.join()

    stream.looked_up = other
    assert not uncover(stream)
    assert others == [True]


def test_what_another_tool_has_put_there_stays() -> None:
    stream = Stream()
    vars(stream)["write"] = own = print
    assert not uncover(stream)
    assert vars(stream)["write"] is own
