"""What a request prints: collected, sent in order, dropped after a delete."""

from __future__ import annotations

import io
import threading
from typing import Any

from ipyext.shells.output import Output
from tests.unit.test_request import FakeOut, FakeStream


class Session:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, stream: Any, msg_type: str, content: Any, **fields: Any) -> None:
        assert msg_type == "stream"
        assert fields["parent"] == {"header": "h"}
        assert fields["ident"] == b"stream.stdout"
        self.sent.append((content["name"], content["text"]))


def made() -> tuple[Output, Session, FakeStream]:
    session = Session()
    return Output(session, {"header": "h"}), session, FakeStream(FakeOut())


def test_text_is_collected_until_it_is_flushed() -> None:
    output, session, stream = made()
    assert output.write(stream, "one") == 3
    assert output.write(stream, " two") == 4
    assert session.sent == []
    output.flush(stream)
    output.flush(stream)
    assert session.sent == [("stdout", "one two")]


def test_the_first_text_starts_one_timer() -> None:
    output, session, stream = made()
    for text in ("a", "b", "c"):
        output.write(stream, text)
    out = stream.pub_thread
    (start_timer,) = out.scheduled
    out.scheduled.clear()
    start_timer()
    (flush,) = out.scheduled
    flush()
    assert session.sent == [("stdout", "abc")]
    out.scheduled.clear()
    output.write(stream, "d")
    assert len(out.scheduled) == 1


def test_in_a_hurry_everything_goes_out_at_once() -> None:
    output, session, stream = made()
    output.write(stream, "before")
    stream.pub_thread.scheduled.clear()
    output.hurry()
    assert session.sent == [("stdout", "before")]
    output.write(stream, "after")
    assert session.sent == [("stdout", "before"), ("stdout", "after")]
    assert stream.pub_thread.scheduled == []


def test_empty_text_starts_nothing() -> None:
    output, session, stream = made()
    assert output.write(stream, "") == 0
    output.flush_all()
    assert session.sent == []
    assert stream.pub_thread.scheduled == []


def test_streams_are_kept_apart() -> None:
    output, session, stream = made()
    other = FakeStream(stream.pub_thread, "stderr")
    output.write(stream, "out")
    output.write(other, "err")
    output.flush(other)
    assert session.sent == [("stderr", "err")]
    output.flush_all()
    assert session.sent == [("stderr", "err"), ("stdout", "out")]


def test_a_muted_one_drops_what_waits_and_what_comes() -> None:
    output, session, stream = made()
    output.write(stream, "before")
    output.mute()
    assert output.write(stream, "after") == 5
    output.flush_all()
    assert session.sent == []
    assert output.muted


def test_an_echo_gets_it_too() -> None:
    output, _, stream = made()
    stream.echo = io.StringIO()  # type: ignore[assignment]
    output.write(stream, "text")
    assert stream.echo.getvalue() == "text"  # type: ignore[attr-defined]


def test_many_writers_and_flushers_lose_and_double_nothing() -> None:
    output, session, stream = made()
    barrier = threading.Barrier(4)

    def write(letter: str) -> None:
        barrier.wait()
        for number in range(500):
            output.write(stream, f"{letter}{number};")
            if number % 7 == 0:
                output.flush(stream)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    output.flush_all()
    pieces = "".join(text for _, text in session.sent).split(";")[:-1]
    assert len(pieces) == 2000
    for letter in "abcd":
        assert [p for p in pieces if p[0] == letter] == [f"{letter}{n}" for n in range(500)]


def test_a_write_from_within_a_write_or_a_flush() -> None:
    """Finalizers and signal handlers print wherever the garbage collector or the signal hits."""
    output, session, stream = made()

    class Interrupted:
        """An output whose every step is interrupted by somebody who prints and flushes."""

        def send(self, *args: Any, **fields: Any) -> None:
            session.send(*args, **fields)
            again()

    def again() -> None:
        if len(session.sent) < 3:
            output.write(stream, f"inner {len(session.sent)};")
            output.flush(stream)

    output._session = Interrupted()  # type: ignore[assignment]
    output.write(stream, "outer;")
    done = threading.Thread(target=output.flush, args=(stream,), daemon=True)
    done.start()
    done.join(5)
    assert not done.is_alive(), "it waits for itself"
    assert session.sent == [("stdout", "outer;"), ("stdout", "inner 1;"), ("stdout", "inner 2;")]
