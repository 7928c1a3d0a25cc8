"""Where the extension is to load by itself: installed, or named by people."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ipyext.install import kernelspec, named, profile


@dataclass(frozen=True)
class Place:
    """One place.

    Attributes:
        kind: ``"profile"``, ``"environment"``, ``"kernelspec"`` or ``"system"``.
        name: of the profile or kernelspec, or the path of the environment.
        path: of the file or folder.
        what: names the extension there, if `ipyext install` has not written it.
    """

    kind: str
    name: str
    path: Path
    what: str = ""


def places() -> list[Place]:
    """All of them that kernels of this environment or this user may meet."""
    found = [Place("profile", name, profile.file_of_profile(name)) for name in profile.profiles()]
    found.append(Place("environment", sys.prefix, profile.file_of_prefix(sys.prefix)))
    found = [place for place in found if profile.is_installed(place.path)]
    specs = kernelspec.manager().find_kernel_specs()
    return found + [
        Place("kernelspec", name, Path(path))
        for name, path in sorted(specs.items())
        if kernelspec.is_ours(Path(path))
    ]


def named_elsewhere() -> list[Place]:
    """Places where kernels are told to load it by lines that `ipyext install` has not written.

    Among them are files that it may be named in, and that nobody can read.
    """
    # It takes a while to import.
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    found = []
    for name in profile.profiles():
        folder = profile.file_of_profile(name).parent
        for path, what in (*named.in_folder(folder), *named.in_startup(folder)):
            found.append(Place("profile", name, path, what))
    for kind, folders in (("environment", ENV_CONFIG_DIRS), ("system", SYSTEM_CONFIG_DIRS)):
        for text in folders:
            name = sys.prefix if kind == "environment" else text
            found += [Place(kind, name, path, what) for path, what in named.in_folder(Path(text))]
    return found + [
        Place("kernelspec", name, path, what) for name, path, what in named.in_kernelspecs()
    ]


def dead_kernelspecs() -> list[Place]:
    """Kernelspecs that front ends offer and that cannot start: their program is not there."""
    return [
        Place("kernelspec", name, folder, f"{program} is not there")
        for name, folder, spec in kernelspec.found()
        if (program := kernelspec.missing_program(spec))
    ]
