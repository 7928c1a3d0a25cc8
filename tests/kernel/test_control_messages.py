"""The control messages are what the reference says, whose table is made of docstrings."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wire import KernelProcess, Wire

_GENERATED = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "generated.py"))
MESSAGES: dict[str, Any] = dict(_GENERATED["control_messages"]())
DEBUG = {"type": "request", "seq": 1, "command": "debugInfo", "arguments": {}}
FAILS = {**DEBUG, "command": "source", "arguments": {"source": {"path": "/nowhere"}}}


@pytest.mark.parametrize("request_type", MESSAGES)
def test_described(request_type: str) -> None:
    about, content, reply = MESSAGES[request_type]
    assert about.endswith(".")
    assert all(field.what for field in (*content, *reply))
    assert content or reply


def fields(request_type: str) -> tuple[set[str], set[str]]:
    """The fields that the reply always has, and those that are ours."""
    reply = MESSAGES[request_type][2]
    ours = {field.name for field in reply if field.ours}
    return {field.name for field in reply} - ours, ours


@pytest.mark.parametrize("request_type", ["create_subshell", "list_subshell", "delete_subshell"])
def test_of_subshells(kernel: Wire, child: str, request_type: str) -> None:
    name = f"{request_type}_request"
    accepted = {"name": "named", "subshell_id": child}
    content = {field.name: accepted[field.name] for field in MESSAGES[name][1]}
    always, ours = fields(name)
    assert ours == set()
    reply = kernel.control(name, content)
    assert reply.pop("status") == "ok"
    assert reply.keys() == always


def test_of_interrupts(kernel: Wire, child: str) -> None:
    always, ours = fields("interrupt_request")
    assert (always, ours) == (set(), {"blocked"})
    assert kernel.control("interrupt_request", {"subshell_id": child}) == {"status": "ok"}
    # A call that holds on to its thread, and is ended from here.
    kernel.execute("import _thread; lock = _thread.allocate_lock(); _ = lock.acquire()")
    running = kernel.begin("lock.acquire()", subshell=child)
    replies = [kernel.control("interrupt_request", {"subshell_id": child}) for _ in range(2)]
    (blocked,) = replies[1]["blocked"]
    assert blocked.keys() == {"subshell_id", "name", "seconds"}
    described = {field.name: field.what for field in MESSAGES["interrupt_request"][2]}
    assert all(f"`{key}`" in described["blocked"] for key in blocked)
    kernel.execute("lock.release()")
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize("content", [DEBUG, FAILS], ids=["done", "not done"])
def test_of_the_debugger(kernel: Wire, content: dict[str, Any]) -> None:
    always, _ = fields("debug_request")
    assert content.keys() == {field.name for field in MESSAGES["debug_request"][1]}
    reply = kernel.control("debug_request", content)
    reply.pop("seq")
    assert reply.keys() <= always
    assert reply["success"] is (content is DEBUG)
    assert ("message" in reply) is (content is FAILS)


def test_of_the_machine(kernel: Wire) -> None:
    always, _ = fields("usage_request")
    # ipykernel leaves this one out where it has nothing to compare with.
    assert kernel.control("usage_request").keys() | {"host_cpu_percent"} >= always


def test_of_shutdown(start_kernel: Callable[..., KernelProcess]) -> None:
    process = start_kernel("--ext", "ipyext")
    kernel = process.client()
    always, _ = fields("shutdown_request")
    reply = kernel.control("shutdown_request", {"restart": False})
    assert reply.pop("status") == "ok"
    assert reply.keys() == always
    assert process.gone_within(10)


def test_of_kernel_info(kernel: Wire) -> None:
    info = kernel.control("kernel_info_request")
    assert {"kernel subshells", "debugger"} <= set(info["supported_features"])
