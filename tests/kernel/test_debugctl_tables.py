"""What %debugctl shows: text for consoles and a page for notebooks, of several stops at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.wire import Wire

SCRIPT = """\
def inner(n):
    twice = n * 2
    return twice


def outer(n):
    kept = n + 1
    return inner(kept)
"""


@pytest.fixture
def script(kernel: Wire, tmp_path: Path) -> Path:
    """A module that the kernel has imported."""
    path = tmp_path / "halted.py"
    path.write_text(SCRIPT)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import halted"
    assert kernel.execute(code).status == "ok"
    return path


def data(kernel: Wire, line: str, subshell: str) -> dict[str, Any]:
    """What a magic shows, which must go well."""
    answer = kernel.execute(line, subshell=subshell)
    assert answer.status == "ok", answer.content
    (found,) = answer.of("display_data")
    bundle: dict[str, Any] = found["data"]
    return bundle


def printed(kernel: Wire, line: str, subshell: str) -> str:
    """What a magic prints, which must go well."""
    answer = kernel.execute(line, subshell=subshell)
    assert answer.status == "ok", answer.content
    return answer.text()


def test_two_stops_in_a_file(kernel: Wire, script: Path) -> None:
    console, worker = kernel.create("console"), kernel.create("worker")
    kernel.execute("%debugctl start", subshell=console)
    assert f"{script}:3" in printed(kernel, f"%debugctl break {script}:3", console)
    cells = [
        kernel.send_execute("halted.outer(10)"),
        kernel.send_execute("halted.outer(20)", subshell=worker),
    ]
    look = "d = __import__('ipyext').debugger()\nwhile len(d.status().stopped) < 2: pass"
    assert kernel.execute(look, subshell=console).status == "ok"

    rows = data(kernel, "%debugctl threads", console)
    for name in ("main", "subshell worker"):
        assert re.search(rf"^\d+ +{name} +breakpoint$", rows["text/plain"], re.MULTILINE), rows
    assert "<" not in rows["text/plain"]
    assert "<table" in rows["text/html"]

    where = data(kernel, "%debugctl where main", console)
    assert "->    3      return twice" in where["text/plain"]
    assert f"{script}:8 in outer" in where["text/plain"]
    assert "<pre" in where["text/html"]

    for thread, n in (("main", 10), ("worker", 20)):
        inner = data(kernel, f"%debugctl locals {thread}", console)["text/plain"]
        assert re.search(rf"twice +int +{2 * n + 2}\b", inner), inner
        outer = data(kernel, f"%debugctl locals {thread} --frame 1", console)["text/plain"]
        assert re.search(rf"kept +int +{n + 1}\b", outer), outer
        assert "twice" not in outer

    text = printed(kernel, "%debugctl continue --all", console)
    assert set(text.splitlines()) == {"main goes on.", "worker goes on."}
    results = [answer.result for answer in kernel.wait(*cells)]
    assert results == ["22", "42"]
    kernel.execute("%debugctl stop", subshell=console)
