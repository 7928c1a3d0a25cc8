"""G1 in small: one busy, one reply, one idle, whoever gets there first."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ipyext.shells.request import Request


class FakeSession:
    """Serializes to the message itself and hands it to the stream, as `Session.send` does."""

    def __init__(self, wire: FakeWire) -> None:
        self._wire = wire

    def send(self, stream: Any, msg_type: str, content: Any, **fields: Any) -> None:
        self._wire.reached("serialize")
        if isinstance(stream, FakeOut):
            self._wire.log.append((msg_type, content["text"]))
        else:
            stream.send_multipart([(msg_type, content, fields)])


class FakeOut:
    """Stands for the iopub thread. What is scheduled is run by hand."""

    def __init__(self) -> None:
        self.scheduled: list[Any] = []
        self.io_loop = self

    def schedule(self, function: Any) -> None:
        self.scheduled.append(function)

    def call_later(self, seconds: float, function: Any) -> None:
        self.scheduled.append(function)


class FakeStream:
    """Stands for sys.stdout."""

    echo = None
    flush_interval = 0.2
    topic = b"stream.stdout"

    def __init__(self, out: FakeOut, name: str = "stdout") -> None:
        self.pub_thread = out
        self.name = name


class FakeWire:
    """Keeps what leaves. `hook` is called each time something is about to."""

    def __init__(self) -> None:
        self.session = FakeSession(self)
        self.log: list[tuple[str, Any]] = []
        self.hook: Callable[[int], None] = lambda step: None
        self._steps = itertools.count()
        self.steps: list[str] = []

    def reached(self, what: str) -> None:
        self.steps.append(what)
        self.hook(next(self._steps))

    def publish(self, msg_type: str, content: Any, parent: Any, *, hurry: bool = True) -> None:
        self.reached("publish" if hurry else "publish without hurry")
        self.log.append((msg_type, content["execution_state" if msg_type == "status" else "ename"]))

    def send(self, channel: str, frames: Any, copy: bool = True) -> None:
        self.reached("send")
        self.log.append(("reply", frames[0][1]["status"]))

    @property
    def kinds(self) -> list[str]:
        """What left, in order; errors on iopub apart, which are checked here."""
        found = [what if kind == "status" else kind for kind, what in self.log]
        assert found.count("error") <= 1
        if "error" in found:
            assert ("reply", "error") in self.log, "an error was shown beside a good reply"
            assert found.index("busy") < found.index("error") < found.index("idle")
        return [kind for kind in found if kind != "error"]


def request(wire: FakeWire, msg_type: str = "execute_request", content: Any = None) -> Request:
    message = {
        "header": {"msg_type": msg_type, "msg_id": "1"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": "x"} if content is None else content,
    }
    return Request(wire, "shell", [b"frames"], [b"client"], message)


def test_a_quick_request_hurries_only_its_idle() -> None:
    wire = FakeWire()
    asked = request(wire, "kernel_info_request")
    asked.begin(hurry=False)
    asked.reply({"status": "ok"})
    asked.finish()
    assert wire.kinds == ["busy", "reply", "idle"]
    assert [s for s in wire.steps if "publish" in s] == ["publish without hurry", "publish"]


def test_a_finished_request_holds_no_frames() -> None:
    """A job, or a thread that its cell has started, may know it as long as the process lives."""
    asked = request(FakeWire())
    asked.begin()
    assert asked.frames == [b"frames"]
    asked.finish()
    assert asked.frames == ()


STEPS: dict[str, Callable[[Request], None]] = {
    "begin": lambda r: r.begin(),
    "reply": lambda r: r.reply({"status": "ok"}),
    "fail": lambda r: r.fail("Error", "no"),
    "finish": lambda r: r.finish(),
    "delete": lambda r: r.delete("child"),
    "refuse": lambda r: r.refuse("Error", "no"),
}


def merges(one: tuple[str, ...], other: tuple[str, ...]) -> Iterator[list[tuple[int, str]]]:
    """Every order in which two threads can take their steps."""
    for chosen in itertools.combinations(range(len(one) + len(other)), len(one)):
        first, second = iter(one), iter(other)
        yield [
            (0, next(first)) if place in chosen else (1, next(second))
            for place in range(len(one) + len(other))
        ]


WORKER = ("begin", "reply", "finish")
PAIRS = [
    (WORKER, ("delete",)),
    (WORKER, ("delete", "delete")),
    (WORKER, ("delete", "finish")),
    (WORKER, WORKER),
    (WORKER, ("refuse",)),
    (("begin", "fail", "reply", "finish"), ("delete", "begin")),
    (("begin", "finish"), ("delete",)),
    (("begin", "reply", "reply", "finish", "finish"), ("delete",)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: "-".join(p[0]) + "|" + "-".join(p[1]))
def test_every_interleaving_of_two_threads(pair: Any) -> None:
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for order in merges(*pair):
            wire = FakeWire()
            made = request(wire)
            for who, step in order:
                (one, other)[who].submit(STEPS[step], made).result(10)
            assert wire.kinds == ["busy", "reply", "idle"], order
            assert made.finished
            assert made.replied


@pytest.mark.parametrize("second", ["delete", "finish", "refuse"])
@pytest.mark.parametrize("step", range(8))
def test_a_second_thread_that_comes_in_the_middle_of_a_step(step: int, second: str) -> None:
    """It starts while the first one is about to send; whichever wins, the answer is whole."""
    wire = FakeWire()
    made = request(wire)
    threads: list[threading.Thread] = []

    def hook(number: int) -> None:
        if number == step and not threads:
            started = threading.Event()

            def run() -> None:
                started.set()
                STEPS[second](made)

            threads.append(threading.Thread(target=run))
            threads[0].start()
            started.wait(10)

    wire.hook = hook
    for name in WORKER:
        STEPS[name](made)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert wire.kinds == ["busy", "reply", "idle"]


def test_the_first_reply_counts() -> None:
    wire = FakeWire()
    made = request(wire)
    made.begin()
    made.reply({"status": "ok"})
    made.fail("Error", "late")
    made.finish()
    assert ("reply", "ok") in wire.log
    assert wire.kinds.count("reply") == 1


def test_no_reply_becomes_an_error_reply() -> None:
    wire = FakeWire()
    made = request(wire)
    made.begin()
    made.finish()
    assert wire.kinds == ["busy", "reply", "idle"]
    assert ("reply", "error") in wire.log


@pytest.mark.parametrize("msg_type", ["comm_msg", "comm_open", "comm_close", "something"])
def test_what_is_owed_no_reply_gets_none(msg_type: str) -> None:
    for step in ("finish", "delete", "refuse"):
        wire = FakeWire()
        made = request(wire, msg_type)
        made.begin()
        STEPS[step](made)
        assert wire.kinds == ["busy", "idle"]


def test_a_reply_that_cannot_be_serialized_is_no_reply() -> None:
    """`Session.send` raises before anything left: an error reply can still follow."""
    wire = FakeWire()
    made = request(wire)
    made.begin()

    def explode(step: int) -> None:
        wire.hook = lambda step: None
        raise TypeError("not JSON")

    wire.hook = explode
    with pytest.raises(TypeError):
        made.reply({"status": "ok"})
    made.fail("TypeError", "not JSON")
    made.finish()
    assert wire.kinds == ["busy", "reply", "idle"]
    assert ("reply", "error") in wire.log


def test_handlers_reply_through_the_stream() -> None:
    wire = FakeWire()
    made = request(wire)
    made.begin()
    made.stream.send_multipart([("execute_reply", {"status": "ok"}, {})], copy=False, track=True)
    made.reply({"status": "error"})
    made.stream.flush()
    made.finish()
    made.stream.send_multipart([("execute_reply", {"status": "late"}, {})])
    assert wire.log == [("status", "busy"), ("reply", "ok"), ("status", "idle")]


def test_output_comes_before_idle_and_not_after_delete() -> None:
    wire = FakeWire()
    stream = FakeStream(FakeOut())
    made = request(wire)
    made.begin()
    made.write(stream, "one ")
    made.write(stream, "two")
    made.reply({"status": "ok"})
    made.finish()
    assert wire.kinds == ["busy", "reply", "stream", "idle"]
    assert ("stream", "one two") in wire.log
    made.delete("child")
    assert made.muted
    made.write(stream, "late")
    made.flush(stream)
    assert wire.kinds == ["busy", "reply", "stream", "idle"]


@pytest.mark.parametrize("content", [None, [], 7, "text", {"code": 7}, {}])
def test_its_code_is_text_whatever_the_content_is(content: Any) -> None:
    made = request(FakeWire())
    made.message["content"] = content
    assert made.code == "execute_request"


def test_its_code() -> None:
    assert request(FakeWire()).code == "x"
    assert request(FakeWire(), "complete_request").code == "complete_request"


def test_input_without_anybody_to_ask() -> None:
    with pytest.raises(RuntimeError, match="nobody to ask"):
        request(FakeWire()).ask("? ", False)
