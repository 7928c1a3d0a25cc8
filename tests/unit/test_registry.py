"""Children by name and id: what they may be called, and that nothing is left of a failure."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from ipyext.errors import (
    IpyextError,
    SubshellNameError,
    SubshellNotFoundError,
    TooManySubshellsError,
)
from ipyext.shells.child import ChildShell
from ipyext.shells.registry import Registry, check_name

GOOD_NAMES = ["a", "worker", "Worker_2", "a.b", "a-b", "größe", "工作", "x" * 64, "Main", "a_"]
BAD_NAMES = [
    "",
    " ",
    "1a",
    "_a",
    "-a",
    ".a",
    "a b",
    "a\n",
    "a\nb",
    "a/b",
    "a%",
    "--all",
    "main",
    "parent",
    "all",
    "x" * 65,
    "a\x00",
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(name: str) -> None:
    with pytest.raises(SubshellNameError) as caught:
        check_name(name)
    assert repr(name) in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, IpyextError)


class Children:
    """Makes real children, and remembers them."""

    def __init__(self) -> None:
        self.made: list[ChildShell] = []
        self.worked: list[Any] = []

    def new(self, shell_id: str, name: str | None, ephemeral: bool) -> ChildShell:
        async def work(child: ChildShell, item: Any) -> None:
            self.worked.append(item)

        child = ChildShell(
            shell_id,
            name,
            work=work,
            later=lambda seconds, call: None,
            new_interactive=lambda child: None,
            ended=lambda child: None,
            ephemeral=ephemeral,
        )
        self.made.append(child)
        return child


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    for child in made.made:
        child.close()
        if child.thread.is_alive():
            child.stop()
            child.thread.join(10)
        assert not child.thread.is_alive()
        child._loop.close()  # of those that were never started


@pytest.fixture
def registry(children: Children) -> Registry:
    return Registry(children.new)


def test_create_find_remove(registry: Registry) -> None:
    first, second = registry.create("first"), registry.create()
    assert registry.all() == [first, second]
    assert registry.find("first") is first
    assert registry.find(str(second.id)) is second
    assert registry.find(str(second.id)[:8]) is second
    assert registry.get(str(first.id)) is first
    assert registry.remove(first) is True
    assert registry.remove(first) is False
    assert registry.all() == [second]
    with pytest.raises(SubshellNotFoundError):
        registry.find("first")


def test_ids_are_uuids_and_threads_have_names(registry: Registry) -> None:
    child = registry.create("worker")
    assert str(uuid.UUID(str(child.id))) == child.id
    assert child.thread.name == "subshell-worker"
    assert child.thread.daemon
    other = registry.create()
    assert other.thread.name == f"subshell-{other.id}"
    registry.rename(other, "other")
    assert other.thread.name == "subshell-other"


@pytest.mark.parametrize("wanted", ["", "a", "abc", "gone", "main"])
def test_what_is_not_there_is_not_found(registry: Registry, wanted: str) -> None:
    registry.create("known")
    with pytest.raises(SubshellNotFoundError) as caught:
        registry.find(wanted)
    assert "known" in str(caught.value)
    assert isinstance(caught.value, LookupError)


def test_the_beginning_of_several_ids_finds_none(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(["abcd-1", "abcd-2"])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(ids))
    registry = Registry(children.new)
    first, _ = registry.create(), registry.create()
    with pytest.raises(SubshellNotFoundError):
        registry.find("abcd")
    with pytest.raises(SubshellNotFoundError):
        registry.find("abc")
    assert registry.find("abcd-1") is first


def test_a_name_is_taken_until_its_owner_is_gone(registry: Registry) -> None:
    first = registry.create("worker")
    with pytest.raises(SubshellNameError, match="another subshell has that name"):
        registry.create("worker")
    registry.delete(first)
    assert registry.create("worker") is not first


def test_a_refused_name_leaves_no_event_loop_behind(registry: Registry, children: Children) -> None:
    """A loop is three descriptors."""
    registry.create("worker")
    with pytest.raises(SubshellNameError):
        registry.create("worker")
    for child in children.made[1:]:
        assert child._loop.is_closed()
    assert len(registry.all()) == 1


def test_a_thread_that_does_not_start_leaves_nothing_behind(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ChildShell, "start", start)
    with pytest.raises(TooManySubshellsError, match="can't start new thread"):
        registry.create("worker")
    assert registry.all() == []


def test_the_limit(registry: Registry) -> None:
    registry.limit = 2
    for _ in range(2):
        registry.create()
    with pytest.raises(TooManySubshellsError, match="2"):
        registry.create()
    registry.delete(registry.all()[0])
    registry.create()


def test_two_threads_want_the_last_place(children: Children) -> None:
    """The other thread takes it after this one has looked, and before this one takes it."""
    first: list[ChildShell] = []

    def new(shell_id: str, name: str | None, ephemeral: bool) -> ChildShell:
        made = children.new(shell_id, name, ephemeral)
        if len(children.made) == 1:
            thread = threading.Thread(target=lambda: first.append(registry.create()))
            thread.start()
            thread.join(10)
        return made

    registry = Registry(new)
    registry.limit = 1
    with pytest.raises(TooManySubshellsError, match="there are 1"):
        registry.create()
    assert registry.all() == first
    refused, taken = children.made
    assert refused._loop.is_closed()
    assert [taken] == first


def test_named_makes_it_once(registry: Registry) -> None:
    assert registry.named("worker") is registry.named("worker")
    assert len(registry.all()) == 1
    with pytest.raises(SubshellNameError):
        registry.named("no name")


def test_named_by_two_threads_at_once(children: Children) -> None:
    """The other thread makes it after this one has looked, and before this one makes it."""
    found: list[ChildShell] = []

    def new(shell_id: str, name: str | None, ephemeral: bool) -> ChildShell:
        if not children.made:
            first = children.new("00000000", None, False)  # only to be here once
            thread = threading.Thread(target=lambda: found.append(registry.named("worker")))
            thread.start()
            thread.join(10)
            first._loop.close()
        return children.new(shell_id, name, ephemeral)

    registry = Registry(new)
    found.append(registry.named("worker"))
    assert found[0] is found[1]
    assert registry.all() == [found[0]]


def test_rename(registry: Registry) -> None:
    first, second = registry.create("first"), registry.create("second")
    registry.rename(first, "first")
    with pytest.raises(SubshellNameError):
        registry.rename(first, "second")
    with pytest.raises(SubshellNameError):
        registry.rename(first, "all")
    assert first.name == "first"
    registry.rename(first, "third")
    registry.rename(second, "first")
    assert registry.find("first") is second


def test_delete_ends_the_thread_of_an_idle_child(registry: Registry) -> None:
    child = registry.create()
    registry.delete(child)
    child.thread.join(10)
    assert not child.thread.is_alive()
    assert registry.all() == []
    assert registry.zombies() == []
    assert child.put(object()) is False
    registry.delete(child)


def test_dismissed_means_deleted_though_the_thread_takes_its_time(registry: Registry) -> None:
    child = registry.create("worker")
    begun, free = threading.Event(), threading.Event()

    async def reluctant() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            free.wait(10)

    tasks: list[Any] = []
    child._loop.call_soon_threadsafe(lambda: tasks.append(child._loop.create_task(reluctant())))
    assert begun.wait(10)
    assert registry.dismiss(child)
    assert child.thread.is_alive()
    assert registry.all() == []
    assert registry.zombies() == [child]
    assert not registry.dismiss(child)
    free.set()
    registry.settle(child)
    child.thread.join(10)
    assert registry.zombies() == []


def test_many_threads_create_and_delete(registry: Registry) -> None:
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            barrier.wait()
            for turn in range(20):
                child = registry.create(f"n{number}.{turn}")
                assert registry.find(f"n{number}.{turn}") is child
                registry.delete(child)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert registry.all() == []
