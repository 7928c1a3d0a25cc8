"""The shape a target must have, and the versions it may have."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from ipyext_patches import CHECKED, DEBUGPY, PYTHON, CheckedRange, UnsupportedTargetError, versions
from ipyext_patches.spec import ATTRIBUTE, FUNCTION, ITEM, function


class Owner:
    def method(self, code: str, silent: bool, extra: int = 0) -> None:
        """Has more than a patch needs."""

    @classmethod
    def made(cls, code: str) -> None:
        """A class method."""

    @staticmethod
    def static(code: str) -> None:
        """A static method."""

    async def awaited(self, code: str) -> None:
        """A coroutine function."""

    def keywords(self, *, code: str) -> None:
        """Keyword only."""

    def anything(self, *args: Any, **kwargs: Any) -> None:
        """Takes all there is."""


FITS = [
    (function(), Owner.method),
    (function("code"), Owner.method),
    (function("code", "silent"), Owner.method),
    (function("code", "silent", "extra"), Owner.method),
    (function("code"), vars(Owner)["made"]),
    (function("code"), vars(Owner)["static"]),
    (function("code"), Owner.awaited),
    (function("code"), Owner().awaited),
    (FUNCTION, print),
    (FUNCTION, Owner),
    (ATTRIBUTE, 1),
    (ATTRIBUTE, None),
    (ITEM, object()),
]
FAILS = [
    (function("silent"), Owner.method, "a function of (code, silent, extra)"),
    (function("silent", "code"), Owner.method, "(code, silent, extra)"),
    (
        function("code", "silent", "extra", "more"),
        Owner.method,
        "a function of (code, silent, extra)",
    ),
    (function("code"), Owner.anything, "(args, kwargs)"),
    (FUNCTION, 1, "not callable but int"),
    (FUNCTION, None, "not callable but NoneType"),
    (FUNCTION, property(), "not callable but property"),
]


@pytest.mark.parametrize(("shape", "found"), FITS)
def test_fits(shape: Any, found: Any) -> None:
    assert shape.problem(found) is None


@pytest.mark.parametrize(("shape", "found", "part"), FAILS)
def test_does_not_fit(shape: Any, found: Any, part: str) -> None:
    assert part in shape.problem(found)


def test_looking_at_a_target_does_not_call_it() -> None:
    class Explosive:
        def __call__(self, code: str) -> None:
            raise AssertionError

    assert function("code").problem(Explosive()) is None


RANGE = CheckedRange("thing", ">=5.5.6,<5.6|>=6.17,<7|>=7.0.1,<7.5", "Do this.")


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        ("5.5.5", False),
        ("5.5.6", True),
        ("5.5.9", True),
        ("5.6.0", False),
        ("6.0.3", False),
        ("6.16.2", False),
        ("6.17.0", True),
        ("6.31.0", True),
        ("7.0.0", False),
        ("7.0.1", True),
        ("7.4.99", True),
        ("7.5.0", False),
        ("7.5.0a1", False),
        ("7.1.0a1", True),
        ("8.0.0", False),
        ("6.30.0+local", True),
    ],
)
def test_ranges(version: str, accepted: bool) -> None:
    assert versions.accepts(RANGE, version) is accepted


@pytest.mark.parametrize(
    ("version", "lane"), [("5.5.6", 5), ("6.17.1", 6), ("6.31.0", 6), ("7.0.1", 7), ("7.4.0", 7)]
)
def test_lanes(version: str, lane: int) -> None:
    assert versions.lane(version) == lane


GOOD = {"ipykernel": "7.4.0", "ipython": "9.1", "pyzmq": "26.2", "wrapt": "2.4.0"}


def fake(monkeypatch: pytest.MonkeyPatch, **found: str | None) -> None:
    table = {**GOOD, **found}

    def version(name: str) -> str:
        value = table[name]
        if value is None:
            raise versions.metadata.PackageNotFoundError(name)
        return value

    monkeypatch.setattr(versions.metadata, "version", version)


def test_what_is_installed_here_is_in_the_range() -> None:
    found = versions.check()
    assert set(found) == {"Python", *(checked.distribution for checked in CHECKED)}


def test_the_good_ones_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    assert versions.check()["ipykernel"] == "7.4.0"


@pytest.mark.parametrize(
    ("name", "version"),
    [("ipykernel", "7.0.0"), ("ipython", "7.33"), ("pyzmq", "24.0.1"), ("wrapt", "2.3.0")],
)
def test_a_refusal_says_what_was_found_what_is_right_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, version: str
) -> None:
    fake(monkeypatch, **{name: version})
    with pytest.raises(UnsupportedTargetError) as caught:
        versions.check()
    error = caught.value
    checked = next(c for c in CHECKED if c.distribution == name)
    assert (error.target, error.found) == (name, f"version {version}")
    assert error.expected.startswith(name)
    for part in ("nothing was changed", name, version, checked.advice):
        assert part in str(error)
    assert "|" not in str(error)


def test_a_missing_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, wrapt=None)
    with pytest.raises(UnsupportedTargetError, match="wrapt is not installed"):
        versions.check()


def test_a_python_outside_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    with pytest.raises(UnsupportedTargetError, match=r"Python is version 3\.9\.18"):
        versions.check()


def test_ipykernel_5_with_ipython_9(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, ipykernel="5.5.6", ipython="9.0.1")
    with pytest.raises(UnsupportedTargetError, match="pip install 'ipython<9'"):
        versions.check()
    fake(monkeypatch, ipykernel="5.5.6", ipython="8.30")
    assert versions.check()["ipykernel"] == "5.5.6"


@pytest.mark.parametrize("checked", [PYTHON, *CHECKED, DEBUGPY], ids=lambda c: c.distribution)
def test_every_range_can_be_read_and_has_advice(checked: CheckedRange) -> None:
    assert versions.accepts(checked, "0.0.1") is False
    assert versions.accepts(checked, "999") is False
    assert checked.advice.endswith(".")


@pytest.mark.parametrize(
    ("version", "right"), [("1.8.22", True), ("1.8.99", True), ("1.8.21", False), ("1.9.0", False)]
)
def test_the_debugger_needs_a_checked_debugpy(
    monkeypatch: pytest.MonkeyPatch, version: str, right: bool
) -> None:
    fake(monkeypatch, debugpy=version)
    problem = versions.debugger_problem()
    assert (problem is None) is right
    assert versions.check()["ipykernel"] == "7.4.0"
    for part in () if problem is None else (f"debugpy is version {version}", DEBUGPY.advice):
        assert part in str(problem)


def test_without_debugpy_its_version_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, debugpy=None)
    assert versions.debugger_problem() is None


def test_the_oldest_of_what_is_accepted_is_tested() -> None:
    root = Path(__file__).parents[2]
    (lane,) = re.findall(r"^lowest .*", (root / ".ci" / "run").read_text(), re.M)
    pinned = dict(re.findall(r"(\w+)==(\S+)", lane))
    needed = re.search(
        r"^dependencies = \[(.*?)^\]", (root / "pyproject.toml").read_text(), re.M | re.S
    )
    assert needed is not None
    lowest = dict(re.findall(r"\"(\w+)>=([\d.]+)", needed[1]))
    del lowest["ipykernel"], pinned["ipykernel"]  # lanes of its own
    for checked in (*CHECKED, DEBUGPY):
        if "|" not in checked.versions:
            lowest[checked.distribution] = checked.versions.removeprefix(">=").split(",")[0]
    assert {name: Version(v) for name, v in pinned.items()} == {
        name: Version(v) for name, v in lowest.items()
    }
