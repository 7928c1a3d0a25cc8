"""What is sent while a socket goes back to its former thread is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipyext_patches.targets.channels import SharedStream


class Loop:
    """A thread's loop that gets to its calls when the test says so."""

    io_loop: Any = None

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []

    def call(self, function: Callable[[], Any]) -> None:
        self.calls.append(function)

    def ask(self, function: Callable[[], Any], timeout: float = 10.0) -> Any:
        raise NotImplementedError

    def finish(self) -> None:
        raise NotImplementedError

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Stream:
    """As much of a ZMQStream as sending needs."""

    def __init__(self) -> None:
        self.gone = False
        self.sent: list[Any] = []

    def closed(self) -> bool:
        return self.gone

    def send_multipart(self, frames: Any, copy: bool) -> None:
        assert not self.gone
        self.sent.append(frames)

    def flush(self, flag: int) -> None:
        pass


def test_what_is_sent_while_the_socket_goes_back() -> None:
    ours, mains = Stream(), Stream()
    our_loop, main_loop = Loop(), Loop()
    former: Any = SharedStream(ours, our_loop)  # type: ignore[arg-type]
    former.send([b"before"])
    our_loop.turn()
    former.send([b"on its way"])
    former.successor = SharedStream(mains, main_loop)  # type: ignore[arg-type]
    ours.gone = True
    former.send([b"late"])
    our_loop.turn()
    assert (ours.sent, mains.sent) == ([[b"before"]], [])  # main sends it itself
    main_loop.turn()
    assert mains.sent == [[b"on its way"], [b"late"]]
