"""A seeded mixed load on main and three children: everything under its own cell, nothing missing.

Results, prints, errors, displays, completions, comm messages and captures in a random but
reproducible order, many in flight at once. IPYEXT_LOAD_SECONDS sets how long.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.wire import Answer, KernelProcess, Wire

SECONDS = float(os.environ.get("IPYEXT_LOAD_SECONDS", "8"))
SEED = 20261120
IN_FLIGHT = 24  # per shell

Check = Callable[[Answer], None]


def shows(
    answer: Answer,
    *,
    text: str = "",
    errors: str = "",
    result: str | None = None,
    displayed: tuple[str, ...] = (),
    raised: tuple[str, str] | None = None,
    opened: tuple[str, ...] = (),
) -> None:
    """Assert that this is all that there is under the cell."""
    assert answer.status == ("ok" if raised is None else "error"), answer.content
    assert (answer.text(), answer.text("stderr")) == (text, errors)
    assert answer.result == result
    assert answer.shown == [*displayed]
    found = [(error["ename"], error["evalue"]) for error in answer.of("error")]
    assert found == ([] if raised is None else [raised])
    assert [content["target_name"] for content in answer.of("comm_open")] == [*opened]


def result(tag: str) -> tuple[str, Check]:
    return f"{tag!r}", lambda answer: shows(answer, result=repr(tag))


def prints(tag: str) -> tuple[str, Check]:
    code = f"for i in range(3): print({tag!r}, i)\nprint({tag + '!'!r}, file=sys.stderr)"
    text = f"{tag} 0\n{tag} 1\n{tag} 2\n"
    return code, lambda answer: shows(answer, text=text, errors=f"{tag}!\n")


def fails(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        shows(answer, raised=("ValueError", tag))
        assert (answer.content["ename"], answer.content["evalue"]) == ("ValueError", tag)
        (error,) = answer.of("error")
        traceback = "".join(error["traceback"])
        assert set(re.findall(r"\bt\d+\b", traceback)) == {tag}, traceback

    return f"raise ValueError({tag!r})", check


def displays(tag: str) -> tuple[str, Check]:
    return f"display({tag!r})", lambda answer: shows(answer, displayed=(repr(tag),))


def captures(tag: str) -> tuple[str, Check]:
    code = (
        f"with capture_output() as c{tag}:\n    print({tag + ' in'!r})\n    display(1)\n"
        f"print({tag + ':'!r}, c{tag}.stdout, len(c{tag}.outputs))"
    )
    return code, lambda answer: shows(answer, text=f"{tag}: {tag} in\n 1\n")


def comms(tag: str) -> tuple[str, Check]:
    return f"new_comm(target_name={tag!r});", lambda answer: shows(answer, opened=(tag,))


def threads(tag: str) -> tuple[str, Check]:
    start = (
        f"{tag} = threading.Thread(target=print, args=({tag + ' thread'!r},))\n"
        f"{tag}.start(); {tag}.join()"
    )
    return start, lambda answer: shows(answer, text=f"{tag} thread\n")


def awaits(tag: str) -> tuple[str, Check]:
    code = f"await asyncio.sleep(0)\nprint({tag + ' awaited'!r})"
    return code, lambda answer: shows(answer, text=f"{tag} awaited\n")


def completes(answer: Answer) -> None:
    shows(answer)
    assert "threading" in answer.content["matches"]


KINDS = [result, prints, fails, displays, captures, comms, threads, awaits]
SETUP = """
import asyncio, sys, threading
from IPython.display import display
from IPython.utils.capture import capture_output
import ipykernel
if ipykernel.version_info[:2] < (6, 18):
    from ipykernel.comm import Comm as new_comm
else:
    from comm import create_comm as new_comm
"""


@pytest.mark.fault
@pytest.mark.timeout(120 + 3 * SECONDS)
def test_everything_under_its_own_cell(kernel: Wire, process: KernelProcess) -> None:
    logged = len(process.log.read_text())
    assert kernel.execute(SETUP).status == "ok"
    shells: list[Any] = [None, *(kernel.create() for _ in range(3))]
    rng = random.Random(SEED)
    waiting: dict[Any, list[tuple[str, Check]]] = {shell: [] for shell in shells}
    counts: dict[Any, list[int]] = {shell: [] for shell in shells}
    checked: list[tuple[Answer, Check]] = []
    sent = 0
    end = time.monotonic() + SECONDS

    def settle(shell: Any) -> None:
        msg_id, check = waiting[shell].pop(0)
        (answer,) = kernel.wait(msg_id)
        check(answer)
        checked.append((answer, check))
        if "execution_count" in answer.content:
            counts[shell].append(answer.content["execution_count"])

    while time.monotonic() < end:
        shell = rng.choice(shells)
        sent += 1
        if rng.random() < 0.1:
            content = {"code": "thread", "cursor_pos": 6}
            msg_id = kernel.send("complete_request", content, subshell=shell)
            waiting[shell].append((msg_id, completes))
        else:
            code, check = rng.choice(KINDS)(f"t{sent}")
            msg_id = kernel.send_execute(code, subshell=shell, stop_on_error=False)
            waiting[shell].append((msg_id, check))
        kernel.pump()
        if len(waiting[shell]) > IN_FLIGHT:
            settle(shell)
    for shell in shells:
        while waiting[shell]:
            settle(shell)
    kernel.execute("sys.stdout.flush(); sys.stderr.flush()")
    for answer, check in checked:  # again: nothing has come late, from another cell
        check(answer)
    assert kernel.stray == []
    log = process.log.read_text()[logged:]
    assert "Traceback" not in log, log
    for shell in shells:
        first = counts[shell][0]
        assert counts[shell] == list(range(first, first + len(counts[shell]))), "counts of a shell"
    assert sent > 50, "the load was no load"
