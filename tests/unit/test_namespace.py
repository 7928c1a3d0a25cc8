"""A child's namespace: main's variables, but what IPython keeps up to date is its own."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from ipyext_patches.targets.namespace import ChildNamespace, is_reserved

RESERVED = ["_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "In", "Out", "_1", "_i1", "_i99"]
SHARED = ["x", "_x", "_dh", "_i_1", "i1", "_1a", "_i1x", "_1\n", "____", "_iiii", "in", "out", ""]


@pytest.fixture
def shared() -> dict[str, Any]:
    return {"x": 1, "_": "main's", "In": ["main's"], "_5": "main's"}


@pytest.fixture
def names(shared: dict[str, Any]) -> ChildNamespace:
    return ChildNamespace(shared)


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names_are_the_childs_own(name: str) -> None:
    shared: dict[str, Any] = {name: "main's"}
    names = ChildNamespace(shared)
    assert is_reserved(name)
    assert name not in names
    names[name] = "own"
    assert names[name] == "own"
    assert shared[name] == "main's"
    del names[name]
    assert name not in names
    assert shared[name] == "main's"


@pytest.mark.parametrize("name", SHARED)
def test_other_names_are_shared(name: str) -> None:
    shared: dict[str, Any] = {}
    names = ChildNamespace(shared)
    assert not is_reserved(name)
    names[name] = "new"
    assert shared[name] == "new"
    shared[name] = "newer"
    assert names[name] == "newer"
    del names[name]
    assert name not in shared


@pytest.mark.parametrize("name", [1, None, (), b"_"])
def test_what_is_no_string_is_not_reserved(name: object) -> None:
    assert not is_reserved(name)


def test_two_children_do_not_share_their_own(shared: dict[str, Any]) -> None:
    first, second = ChildNamespace(shared), ChildNamespace(shared)
    first["_"] = 1
    second["_"] = 2
    assert (first["_"], second["_"], shared["_"]) == (1, 2, "main's")


def test_it_is_a_dict_for_those_who_ask(names: ChildNamespace) -> None:
    assert isinstance(names, dict)


def test_reading_goes_everywhere_the_same_way(names: ChildNamespace) -> None:
    names["_"] = "own"
    assert dict(names.items()) == {"_": "own", "x": 1}
    assert sorted(names) == ["_", "x"]
    assert sorted(names.keys()) == ["_", "x"]
    assert len(names) == 2
    assert names.get("In") is None
    assert names.get("x") == 1
    assert names.get("gone", 7) == 7
    assert names.copy() == {"_": "own", "x": 1}
    assert names == {"_": "own", "x": 1}
    assert copy.copy(names) == {"_": "own", "x": 1}
    assert {**names} == {"_": "own", "x": 1}


def test_missing_names() -> None:
    names = ChildNamespace({"_": 1})
    for name in ("_", "gone"):
        with pytest.raises(KeyError):
            names[name]
        with pytest.raises(KeyError):
            del names[name]


def test_writing_goes_everywhere_the_same_way(
    names: ChildNamespace, shared: dict[str, Any]
) -> None:
    names.update({"a": 1, "_": "own"}, b=2)
    assert names.setdefault("c", 3) == 3
    assert names.setdefault("Out", {}) == {}
    assert names.pop("x") == 1
    assert names.pop("In", "none") == "none"
    assert shared == {"_": "main's", "In": ["main's"], "_5": "main's", "a": 1, "b": 2, "c": 3}


def test_the_operators_of_dict(names: ChildNamespace, shared: dict[str, Any]) -> None:
    assert names | {"y": 2} == {"x": 1, "y": 2}
    assert {"y": 2} | names == {"x": 1, "y": 2}
    names |= {"z": 3}
    assert names["z"] == 3
    assert shared["z"] == 3


def test_it_shows_what_is_in_it(names: ChildNamespace) -> None:
    """`locals()` at the top of a cell is this object."""
    assert "'x': 1" in repr(names)
    assert "'x': 1" in str(names)


def test_clear_leaves_what_is_mains_own(names: ChildNamespace, shared: dict[str, Any]) -> None:
    names["_"] = "own"
    names.clear()
    assert list(names) == []
    assert shared == {"_": "main's", "In": ["main's"], "_5": "main's"}


def test_an_empty_one_is_true() -> None:
    assert ChildNamespace({})


def test_cells_run_in_it(names: ChildNamespace, shared: dict[str, Any]) -> None:
    code = compile("y = x + 1\n_ = y\ndef f(): return y\nz = [y for _ in (1,)]", "cell", "exec")
    exec(code, shared, names)
    assert shared["y"] == 2
    assert shared["f"]() == 2
    assert names["_"] == 2
    assert shared["_"] == "main's"


@pytest.mark.parametrize("read", ["list", "copy", "items", "values", "equal", "update"])
def test_it_may_change_under_a_reader(
    names: ChildNamespace, shared: dict[str, Any], read: str
) -> None:
    """Other shells make and delete names all the time, and %who reads."""
    readers: dict[str, Any] = {
        "list": lambda: "x" in list(names),
        "copy": lambda: names.copy()["x"] == 1,
        "items": lambda: ("x", 1) in list(names.items()),
        "values": lambda: 1 in list(names.values()),
        "equal": lambda: (names == {}) is False,
        "update": lambda: names.update(names) is names.update(names.shared),
    }
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shared[f"n{number % 500}"] = number
            shared.pop(f"n{(number + 250) % 500}", None)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert readers[read]()
    finally:
        stop.set()
        writer.join()
