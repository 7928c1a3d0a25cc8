"""Programs for terminals, in a real one: what is typed, and what its screen shows."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pexpect
import pyte

from tests.fronts.home import Home

ROWS, COLUMNS = 40, 100
TIMEOUT = 120.0  # seconds; a test that needs them all fails


class Terminal:
    """A program in a pseudo-terminal, with the screen that a person would see."""

    def __init__(self, home: Home, program: str, *arguments: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)
        self._program = pexpect.spawn(
            home.program(program),
            list(arguments),
            cwd=str(home.path),
            env={**home.env, "TERM": "xterm-256color"},
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            codec_errors="replace",
        )

    @property
    def lines(self) -> list[str]:
        """The screen, without blanks at the ends of lines and empty lines at its end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().splitlines()

    def type(self, text: str) -> None:
        """Type one line of text, and Enter."""
        self._program.send(text)
        self.until(lambda: text in "".join(self.lines), f"echo of {text!r}")
        self._program.send("\r")

    def press(self, keys: str) -> None:
        """Send keys, as the bytes that a terminal sends for them."""
        self._program.send(keys)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Take in what the program writes until `condition()` holds."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            shown = "\n".join(self.lines)
            assert time.monotonic() < end, f"no {what} within {TIMEOUT} s:\n{shown}"
            try:
                text = self._program.read_nonblocking(65536, timeout=1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                raise AssertionError(f"no {what}, the program has ended:\n{shown}") from None
            self._stream.feed(text)
            # What terminals answer: where the cursor is, and what they are.
            for _ in range(text.count("\x1b[6n")):
                cursor = self._screen.cursor
                self._program.send(f"\x1b[{cursor.y + 1};{cursor.x + 1}R")
            for _ in range(text.count("\x1b[c")):
                self._program.send("\x1b[?62;c")

    def shows(self, text: str) -> None:
        """Wait until `text` is on the screen."""
        self.until(lambda: text in "\n".join(self.lines), repr(text))

    def ended(self) -> None:
        """Wait until the program has ended by itself."""
        self._program.expect(pexpect.EOF, timeout=TIMEOUT)

    def close(self) -> None:
        """End the program if it has not ended, and wait for that."""
        if not self._program.terminate():  # asked in several ways; gives a busy machine no time
            self._program.kill(signal.SIGKILL)
            self._program.wait()
        self._program.close()
