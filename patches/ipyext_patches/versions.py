"""The checked range, as data. Looked at before any private import (see `check`)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ipyext_patches.errors import UnsupportedTargetError

Lane = Literal[5, 6, 7]


@dataclass(frozen=True)
class CheckedRange:
    """One distribution, the versions this release was checked with, and its advice to the user."""

    distribution: str
    versions: str
    advice: str


PYTHON = CheckedRange("Python", ">=3.10,<3.14", "Use a Python inside that range.")

CHECKED: tuple[CheckedRange, ...] = (
    CheckedRange(
        "ipykernel",
        ">=5.5.6,<5.6|>=6.17,<7|>=7.0.1,<7.5",
        "Install a checked ipykernel (pip install --upgrade 'ipykernel<7.5') or a newer "
        "ipyext-kernel.",
    ),
    CheckedRange(
        "ipython",
        ">=7.34,<10",
        "Install a checked IPython (pip install --upgrade 'ipython<10') or a newer ipyext-kernel.",
    ),
    CheckedRange("pyzmq", ">=25,<28", "Install a checked pyzmq (pip install 'pyzmq>=25,<28')."),
    CheckedRange("wrapt", ">=2.4,<3", "Install a checked wrapt (pip install 'wrapt>=2.4,<3')."),
)

DEBUGPY = CheckedRange(
    "debugpy",
    ">=1.8.22,<1.9",
    "Install a checked debugpy (pip install --upgrade 'debugpy>=1.8.22,<1.9') and restart the "
    "kernel.",
)


def accepts(checked: CheckedRange, version: str) -> bool:
    """Whether `version` lies in one of the alternatives of the range (separated by ``|``)."""
    return any(
        SpecifierSet(part, prereleases=True).contains(Version(version))
        for part in checked.versions.split("|")
    )


def installed() -> dict[str, str]:
    """The version of every distribution in the checked range that is installed."""
    found = {"Python": ".".join(map(str, sys.version_info[:3]))}
    for checked in CHECKED:
        try:
            found[checked.distribution] = metadata.version(checked.distribution)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Finding:
    """An installed version beside its checked range.

    Attributes:
        checked: the range.
        version: what is installed, or None.
        problem: what `check` raises for it, or None.
    """

    checked: CheckedRange
    version: str | None
    problem: UnsupportedTargetError | None = None


def findings() -> list[Finding]:
    """Every distribution in the checked range, beside what is installed."""
    return _findings(installed())


def _findings(found: dict[str, str]) -> list[Finding]:
    return [
        Finding(checked, found.get(checked.distribution), _problem(checked, found))
        for checked in (PYTHON, *CHECKED)
    ]


def _problem(checked: CheckedRange, found: dict[str, str]) -> UnsupportedTargetError | None:
    name = checked.distribution
    version = found.get(name)
    expected = f"{name} {checked.versions.replace('|', ' or ')}"
    if version is None:
        return UnsupportedTargetError(name, "not installed", expected, checked.advice)
    if not accepts(checked, version):
        return UnsupportedTargetError(name, f"version {version}", expected, checked.advice)
    if name == "ipython" and Version(version).major >= 9:
        ipykernel = found.get("ipykernel")
        if ipykernel is not None and Version(ipykernel).major == 5:
            return UnsupportedTargetError(
                "ipython",
                f"version {version}",
                "ipython <9 beside ipykernel 5.5",
                "ipykernel 5.5 itself does not answer with IPython 9: pip install 'ipython<9'.",
            )
    return None


def check() -> dict[str, str]:
    """Return the installed versions.

    Raises:
        UnsupportedTargetError: a version lies outside the checked range, or is missing.
    """
    found = installed()
    for finding in _findings(found):
        if finding.problem is not None:
            raise finding.problem
    return found


def debugger_problem() -> str | None:
    """What is wrong with the version of debugpy; None if it is checked, or there is none.

    The extension loads beside any: only the debugger has to do without.
    """
    try:
        version = metadata.version(DEBUGPY.distribution)
    except metadata.PackageNotFoundError:
        return None
    if accepts(DEBUGPY, version):
        return None
    return (
        f"debugpy is version {version}, but ipyext is checked with debugpy {DEBUGPY.versions}. "
        f"{DEBUGPY.advice}"
    )


def lane(ipykernel_version: str) -> Lane:
    """Which of the three shapes of ipykernel a version has."""
    major = Version(ipykernel_version).major
    if major == 5:
        return 5
    return 6 if major == 6 else 7


def summary() -> str:
    """The installed versions in one line, for messages."""
    return ", ".join(f"{name} {version}" for name, version in installed().items())
