"""A seeded mixed load on main and three children: everything under its own cell, nothing missing.

Results, prints, errors, displays, completions, comm messages and captures in a random but
reproducible order, many in flight at once. IPYEXT_LOAD_SECONDS sets how long.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.wire import Answer, Wire

SECONDS = float(os.environ.get("IPYEXT_LOAD_SECONDS", "8"))
SEED = 20261120
IN_FLIGHT = 24  # per shell

Check = Callable[[Answer], None]


def result(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "ok", answer.content
        assert answer.result == repr(tag)
        assert answer.text() == ""

    return f"{tag!r}", check


def prints(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "ok", answer.content
        assert answer.text() == f"{tag} 0\n{tag} 1\n{tag} 2\n"
        assert answer.text("stderr") == f"{tag}!\n"
        assert answer.result is None

    return (
        f"for i in range(3): print({tag!r}, i)\nprint({tag + '!'!r}, file=sys.stderr)",
        check,
    )


def fails(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "error"
        assert (answer.content["ename"], answer.content["evalue"]) == ("ValueError", tag)
        (error,) = answer.of("error")
        assert (error["ename"], error["evalue"]) == ("ValueError", tag)
        assert tag in "".join(error["traceback"])

    return f"raise ValueError({tag!r})", check


def displays(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "ok", answer.content
        assert [d["data"]["text/plain"] for d in answer.of("display_data")] == [repr(tag)]

    return f"display({tag!r})", check


def captures(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "ok", answer.content
        assert answer.of("display_data") == []
        assert answer.text() == f"{tag}: {tag} in\n 1\n"

    code = (
        f"with capture_output() as c{tag}:\n    print({tag + ' in'!r})\n    display(1)\n"
        f"print({tag + ':'!r}, c{tag}.stdout, len(c{tag}.outputs))"
    )
    return code, check


def comms(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "ok", answer.content
        (opened,) = answer.of("comm_open")
        assert opened["target_name"] == tag

    return f"new_comm(target_name={tag!r});", check


def threads(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "ok", answer.content
        assert answer.text() == f"{tag} thread\n"

    start = (
        f"{tag} = threading.Thread(target=print, args=({tag + ' thread'!r},))\n"
        f"{tag}.start(); {tag}.join()"
    )
    return start, check


def awaits(tag: str) -> tuple[str, Check]:
    def check(answer: Answer) -> None:
        assert answer.status == "ok", answer.content
        assert answer.text() == f"{tag} awaited\n"

    return f"await asyncio.sleep(0)\nprint({tag + ' awaited'!r})", check


def completes(answer: Answer) -> None:
    assert answer.status == "ok", answer.content
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
def test_everything_under_its_own_cell(kernel: Wire) -> None:
    kernel.execute(SETUP)
    shells: list[Any] = [None, *(kernel.create() for _ in range(3))]
    rng = random.Random(SEED)
    waiting: dict[Any, list[tuple[str, Check]]] = {shell: [] for shell in shells}
    counts: dict[Any, list[int]] = {shell: [] for shell in shells}
    sent = 0
    end = time.monotonic() + SECONDS

    def settle(shell: Any) -> None:
        msg_id, check = waiting[shell].pop(0)
        (answer,) = kernel.wait(msg_id)
        check(answer)
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
    for shell in shells:
        first = counts[shell][0]
        assert counts[shell] == list(range(first, first + len(counts[shell]))), "counts of a shell"
    assert sent > 50, "the load was no load"
