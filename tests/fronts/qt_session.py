"""Drives `jupyter qtconsole` in a process of its own, without a display; prints JSON.

python -m tests.fronts.qt_session '["6 * 7", ["input('who? ')", "me"], ["while True: pass", null]]'

Each item is a cell; with a second entry, what is typed when it asks for input, or, if that is
null, an interrupt as soon as it has printed.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from qtconsole.qtconsoleapp import JupyterQtConsoleApp
from qtpy import QtCore, QtGui

TIMEOUT = 120.0  # seconds


class Session:
    """The window of a running console."""

    def __init__(self, app: Any) -> None:
        self._qt: Any = app.app
        self.widget: Any = app.widget

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Handle Qt's events until `condition()` holds."""
        end = time.monotonic() + TIMEOUT
        events, timer = QtCore.QEventLoop(), QtCore.QTimer()
        timer.timeout.connect(lambda: (condition() or time.monotonic() > end) and events.quit())
        timer.start(20)
        events.exec()
        timer.stop()
        if not condition():
            sys.exit(f"no {what} within {TIMEOUT} s:\n{self.text}")

    @property
    def text(self) -> str:
        """All that the window shows."""
        found: str = self.widget._control.toPlainText()
        return found

    def prompts(self, count: int) -> None:
        """Wait until there are so many prompts, whatever their numbers are."""
        self.until(lambda: len(re.findall(r"^In \[", self.text, re.M)) == count, "prompt")

    def run(self, code: str) -> None:
        """Execute a cell, as Enter does."""
        self.widget.execute(code)

    def type(self, text: str) -> None:
        """Type a line, and Enter."""
        self.widget._control.insertPlainText(text)
        event = QtCore.QEvent.Type.KeyPress
        key = QtCore.Qt.Key.Key_Return
        modifier = QtCore.Qt.KeyboardModifier.NoModifier
        self._qt.sendEvent(self.widget._control, QtGui.QKeyEvent(event, key, modifier))


def main(cells: list[Any]) -> None:
    app = JupyterQtConsoleApp()
    app.initialize(["--kernel=python3"])
    app.window.show()
    session = Session(app)
    session.prompts(1)
    for count, cell in enumerate(cells, 1):
        code, *answers = [cell] if isinstance(cell, str) else cell
        session.run(code)
        for answer in answers:
            if answer is None:
                session.until(lambda: "begun\n" in session.text, "begun")
                session.widget.interrupt_kernel()
            else:
                session.until(lambda: session.widget._reading, "question")
                session.type(answer)
        session.prompts(count + 1)
    text = session.text
    pictures = text.count("\ufffc")
    sys.stdout.write(json.dumps({"text": text[text.index("In [1]") :], "pictures": pictures}))
    sys.stdout.flush()
    session.widget.kernel_client.stop_channels()
    session.widget.kernel_manager.shutdown_kernel()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
