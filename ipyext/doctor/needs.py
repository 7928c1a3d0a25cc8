"""What the distribution depends on: whether it is there. Only the standard library is used."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TextIO

from ipyext import __version__
from ipyext.autoload import switched_off

DISTRIBUTION = "ipyext-kernel"
FORMAT = 1  # of the JSON; a new number means that something was renamed or removed

_REQUIREMENT = re.compile(r"([\w.-]+)\s*([^;]*?)\s*(;.*)?")
# In a process of its own: some of them change the one that imports them. Not from the folder that
# we are called in.
_IMPORT = "import sys; sys.path[:] = filter(None, sys.path); import {}"


@dataclass(frozen=True)
class Need:
    """A distribution that has to be there.

    Attributes:
        name: of the distribution.
        required: the versions that will do, as a specifier.
        problem: what is wrong with it; empty if it is there.
        installed: whether there is something of that name.
    """

    name: str
    required: str
    problem: str = ""
    installed: bool = True

    def row(self) -> dict[str, object]:
        """It, in JSON."""
        return {
            "name": self.name,
            "required": self.required,
            "ok": not self.problem,
            "problem": self.problem,
        }


def look(timeout: float) -> list[Need]:
    """Everything that the installed distribution says it needs; nothing if it is not installed.

    Args:
        timeout: seconds that the imports may take.
    """
    try:
        declared = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from its sources
        return []
    parts = [found.groups() for text in declared if (found := _REQUIREMENT.fullmatch(text))]
    # Those with a condition are for extras.
    names = {name: required for name, required, condition in parts if not condition}
    imports = {
        name: subprocess.Popen(
            [sys.executable, "-c", _IMPORT.format(name.replace("-", "_"))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        for name in names
    }
    failures = {name: _failure(process, timeout) for name, process in imports.items()}
    return [_need(name, required, failures[name]) for name, required in names.items()]


def _failure(process: subprocess.Popen[str], timeout: float) -> str:
    """Why an import went wrong; empty if it did not."""
    try:
        _, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"its import did not end within {timeout:g} s"
    if process.returncode == 0:
        return ""
    return (errors.strip() or f"exit status {process.returncode}").splitlines()[-1]


def _need(name: str, required: str, failure: str) -> Need:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Need(name, required, failure and "not installed", installed=False)
    if failure:
        return Need(name, required, f"version {version} cannot be imported: {failure}")
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:  # told by itself
        return Need(name, required)
    fits = SpecifierSet(required, prereleases=True).contains(version)
    return Need(name, required, "" if fits else f"version {version} is installed")


def tell(needs: Sequence[Need], out: TextIO, as_json: bool) -> None:
    """Tell people, or a program, that something is missing; nothing else can be looked at then."""
    if as_json:
        found = {
            "format": FORMAT,
            "ipyext": __version__,
            "ok": False,
            "python": sys.executable,
            "needs": [need.row() for need in needs],
            "versions": [],
            "beside": {},
            "autoload": [],
            "elsewhere": [],
            "disabled": switched_off(),
            "loaded": None,
            "problem": "",
            "dead": [],
            "patches": [],
            "planned": 0,
            "steps": [],
            "log": "",
        }
        out.write(json.dumps(found, indent=2) + "\n")
        return
    out.write("".join(f"{line}\n" for line in _lines(needs)))


def _lines(needs: Sequence[Need]) -> Iterator[str]:
    wrong = [need for need in needs if need.problem]
    yield f"ipyext {__version__} needs what {sys.executable} does not have:"
    for need in wrong:
        yield f"   FAILED {need.name} {need.required}: {need.problem}"
    yield "Nothing was tried. Install it, and run ipyext doctor again:"
    again = " --force-reinstall" if any(need.installed for need in wrong) else ""
    names = " ".join(shlex.quote(need.name + need.required) for need in wrong)
    yield f"   {shlex.quote(sys.executable)} -m pip install{again} {names}"
