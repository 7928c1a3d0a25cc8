"""An error that IPython cannot show is its cell's error all the same, and nobody else's."""

from __future__ import annotations

import pytest

from tests.wire import KernelProcess, Wire

# What a cell raises, and what the client is told at the least.
ERRORS = {
    "no text": (
        "class Error(Exception):\n    def __str__(self): raise ValueError('no text')\nraise Error",
        {"Error", "ValueError"},
    ),
    "no text, nor of that": (
        "class Error(Exception):\n    def __str__(self): raise Error\nraise Error",
        {"Error"},
    ),
    "cannot be sent": (r"raise ValueError('\ud800')", {"ValueError", "UnicodeEncodeError"}),
}


@pytest.mark.parametrize("name", list(ERRORS))
def test_an_error_that_cannot_be_shown(
    process: KernelProcess, kernel: Wire, child: str, name: str
) -> None:
    raises, names = ERRORS[name]
    logged = process.log.stat().st_size
    kernel.execute("'first'", subshell=child)
    failing = kernel.begin(f"go.wait(30)\n{raises}", subshell=child)
    behind = kernel.send_execute("print('ran')", subshell=child)
    kernel.execute("go.set()")
    answer, aborted = kernel.wait(failing, behind)
    assert (answer.status, answer.content["execution_count"]) == ("error", 2)
    shown = answer.of("error")
    assert shown
    assert {error["ename"] for error in [answer.content, *shown]} <= names
    assert answer.text("stderr") == ""
    assert (aborted.status, aborted.text()) == ("aborted", "")
    again = kernel.execute("'again'", subshell=child)
    assert (again.result, again.content["execution_count"]) == ("'again'", 3)
    assert "ipyext" not in process.log.read_text()[logged:]


def test_an_error_that_cannot_be_shown_of_a_cell_without_a_number(kernel: Wire, child: str) -> None:
    raises, _ = ERRORS["no text"]
    answer = kernel.execute(raises, subshell=child, store_history=False)
    assert answer.status == "error"
    assert kernel.execute("'first'", subshell=child).content["execution_count"] == 1
