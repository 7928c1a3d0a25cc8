"""Where the extension is installed to load by itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ipyext.install import kernelspec, profile


@dataclass(frozen=True)
class Place:
    """One place.

    Attributes:
        kind: ``"profile"``, ``"environment"`` or ``"kernelspec"``.
        name: of the profile or kernelspec, or the path of the environment.
        path: of the file or folder.
    """

    kind: str
    name: str
    path: Path


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
