"""Cells that nobody sees, as VS Code's Jupyter extension sends them.

Source: microsoft/vscode-jupyter, src/kernels/helpers.ts, executeSilently.
"""

from __future__ import annotations

from tests.wire import Answer, Wire


def hidden(kernel: Wire, code: str) -> Answer:
    """Run one."""
    return kernel.wait(begin_hidden(kernel, code))[0]


def begin_hidden(kernel: Wire, code: str) -> str:
    """Send one; returns its message id."""
    return kernel.send_execute(code, stop_on_error=False, allow_stdin=True, store_history=False)
