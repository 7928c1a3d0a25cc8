"""Stacks of threads: whose frames are shown, and how."""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ipyext.debug import stacks
from ipyext.debug.stacks import Frame, ShellStack, Stacks, of_people
from ipyext.shells.child import ChildShell
from ipyext.shells.registry import Registry
from ipyext.shells.shell import ParentShell

TIMEOUT = 30


def raw(*modules: str, file: str = "x.py") -> list[Any]:
    """Frames of these modules, outermost first here."""
    code = compile("pass", file, "exec")
    return [stacks._Raw(code, 1, module) for module in reversed(modules)]


@pytest.mark.parametrize(
    ("modules", "kept"),
    [
        # main: the launcher is called __main__, as the cells are
        (
            "runpy __main__ traitlets.config asyncio IPython.core __main__ mine.deep json.decoder",
            "__main__ mine.deep json.decoder",
        ),
        ("runpy __main__ traitlets.config tornado.ioloop asyncio.base_events selectors", ""),
        ("threading ipyext.shells.child asyncio.events contextlib", ""),
        ("threading ipyext.shells.child IPython.core __main__ threading", "__main__"),
        ("threading ipyext.x __main__ asyncio.runners asyncio.tasks mine", "__main__ mine"),
        ("threading ipyext.x __main__ _pydevd_bundle.pydevd pydevd _pydev_bundle", "__main__"),
        ("threading ipyext.x __main__ IPythonic asynciolike", "__main__ IPythonic asynciolike"),
        ("debugpy runpy __main__ traitlets.config", ""),
        ("script numbers_of_mine ipykernel.embed IPython.x mine", "mine"),
        ("mine only", ""),
        ("", ""),
    ],
)
def test_whose_frames(modules: str, kept: str) -> None:
    assert [frame.module for frame in of_people(raw(*modules.split()))] == kept.split()[::-1]


def test_generated_frames() -> None:
    inner = raw("mine", file="<decorator-gen-7>") + raw(
        "mine", file="<frozen importlib._bootstrap>"
    )
    assert of_people(inner + raw("ipyext", "mine"))[0].code.co_filename == "x.py"
    assert len(of_people(inner + raw("ipyext", "mine"))) == 1


CELL = """
def inner(began, go):
    began.set()
    go.wait(30)

def outer(began, go):
    inner(began, go)

outer(began, go)
"""


class Item:
    """A cell, with what it knows by name."""

    code = "outer()"

    def __init__(self, began: threading.Event, go: threading.Event) -> None:
        self.names = {"began": began, "go": go}

    def delete(self, label: str) -> None: ...


class Compiler:
    @staticmethod
    def format_code_name(name: str) -> tuple[str, str] | None:
        return ("Cell", "In[7]") if name == "/tmp/cell.py" else None


@pytest.fixture
def engine() -> Iterator[Any]:
    """Real shells; a child executes the code that is put."""

    async def work(child: ChildShell, item: Any) -> None:
        linecache.cache["/tmp/cell.py"] = (len(CELL), None, CELL.splitlines(True), "/tmp/cell.py")
        exec(compile(CELL, "/tmp/cell.py", "exec"), {"__name__": "__main__", **item.names})

    def new(shell_id: str, name: str | None, ephemeral: bool) -> ChildShell:
        return ChildShell(
            shell_id,
            name,
            work=work,
            later=lambda seconds, call: None,
            new_interactive=lambda _: None,
            ended=lambda _: None,
        )

    registry = Registry(new)
    yield SimpleNamespace(
        parent=ParentShell(lambda: None),
        registry=registry,
        helpers=SimpleNamespace(get=lambda name: None),
        host=SimpleNamespace(main=SimpleNamespace(compile=Compiler())),
    )
    children = registry.all()
    for child in children:
        registry.delete(child)
    for child in children:
        child.thread.join(TIMEOUT)
        assert not child.thread.is_alive()
    linecache.cache.pop("/tmp/cell.py", None)


def test_a_child_in_its_cell(engine: Any) -> None:
    began, go = threading.Event(), threading.Event()
    child = engine.registry.create("worker")
    engine.registry.create("idle")
    child.put(Item(began, go))
    assert began.wait(TIMEOUT)
    try:
        found = stacks.collect(engine)
    finally:
        go.set()
    assert [shell.label for shell in found.shells] == ["main", "worker", "idle"]
    worker = found.of("worker")
    assert (worker.state, worker.thread, worker.native) == ("busy", "subshell-worker", None)
    # It may be on its way from the one line to the next.
    assert worker.frames[0] in (
        Frame("/tmp/cell.py", 3, "inner", "began.set()", "In[7]"),
        Frame("/tmp/cell.py", 4, "inner", "go.wait(30)", "In[7]"),
    )
    assert worker.frames[1:3] == (
        Frame("/tmp/cell.py", 7, "outer", "inner(began, go)", "In[7]"),
        Frame("/tmp/cell.py", 9, "<module>", "outer(began, go)", "In[7]"),
    )
    assert found.of("idle").frames == ()
    assert found.of("idle").state == "idle"
    assert "  Cell In[7], line 7, in outer\n      inner(began, go)\n" in found.as_text()
    with pytest.raises(KeyError):
        found.of("nobody")


def test_native_code_is_claimed_only_after_an_interrupt(engine: Any) -> None:
    began, go = threading.Event(), threading.Event()
    child = engine.registry.create("worker")
    child.put(Item(began, go))
    assert began.wait(TIMEOUT)
    try:
        assert stacks.collect(engine).of("worker").native is None
        told = {"asked": None, "is_open": True, "of_task": False}
        gate, child.gate = child.gate, SimpleNamespace(blocked=0.1, **told)
        assert stacks.collect(engine).of("worker").native is None
        child.gate = SimpleNamespace(blocked=7.0, **told)
        seen = stacks.collect(engine).of("worker")
        assert seen.native == 7.0
        assert "an interrupt has been waiting for 7.0 s" in seen.as_text()
        child.gate = gate
    finally:
        go.set()


def test_no_frame_is_kept_alive() -> None:
    began, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (began.set(), go.wait(TIMEOUT)))
    thread.start()
    assert began.wait(TIMEOUT)
    (found,) = stacks._raw_stacks([thread.ident])
    assert found
    assert not any(hasattr(value, "f_locals") for raw in found for value in vars(raw).values())
    go.set()
    thread.join(TIMEOUT)
    assert stacks._raw_stacks([thread.ident, None]) == [[], []]


def test_text() -> None:
    frame = Frame("/srv/a.py", 3, "f", "", None)
    busy = ShellStack("main", "busy", 1.25, "MainThread", (frame,))
    assert busy.as_text() == "main: busy for 1.2 s (MainThread)\n  File /srv/a.py, line 3, in f"
    idle = ShellStack("a", "idle", 2, "subshell-a", ())
    assert idle.as_text() == "a: idle for 2.0 s (subshell-a)"
    awaiting = ShellStack("b", "busy", 2, "subshell-b", ())
    assert "awaits something" in awaiting.as_text()
    assert Stacks((busy, idle)).as_text() == busy.as_text() + "\n\n" + idle.as_text()


def test_stdlib_names_do_not_hold_main() -> None:
    assert "__main__" not in sys.stdlib_module_names
