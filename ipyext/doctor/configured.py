"""A kernel as people start it: with the configuration of the default profile, and all it loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipyext.demo.kernel import DemoError, StockKernel
from ipyext.install import profile
from ipyext.install.named import UNREADABLE
from ipyext.install.survey import Place

LOADED = "'ipyext' in get_ipython().extension_manager.loaded"


@dataclass(frozen=True)
class Configured:
    """How such a kernel started.

    Attributes:
        loaded: whether it has loaded the extension by itself; None if it did not answer.
        log: what it wrote, or what happened in place of an answer.
    """

    loaded: bool | None
    log: str


def start(timeout: float) -> Configured:
    """Start one, ask it, and end it.

    Args:
        timeout: seconds that any single wait may take.
    """
    try:
        with StockKernel(timeout, configured=True) as kernel:
            return Configured(kernel.execute(LOADED).result == "True", kernel.log())
    except DemoError as error:
        return Configured(None, str(error))


def problem(found: Configured, places: Sequence[Place]) -> str:
    """What is wrong with it; empty if nothing is.

    Args:
        found: how it started.
        places: where kernels are told to load the extension, unless that is switched off.
    """
    if found.loaded is None:
        folder = profile.file_of_profile("default").parent
        return (
            f"A kernel with your configuration does not start. Look for the cause in {folder} and "
            "in what is named above; IPYTHONDIR=/an/empty/folder in its environment starts one "
            f"without. {found.log}"
        )
    counts = [str(place.path) for place in places if _counts(place)]
    if found.loaded or not counts:
        return ""
    return (
        f"A kernel with your configuration did not load ipyext, as it is told to by "
        f"{', '.join(counts)}. It says:\n{found.log}"
    )


def _counts(place: Place) -> bool:
    """Whether it counts for kernels of this environment and of the default profile."""
    here = place.kind in ("environment", "system") or (
        (place.kind, place.name) == ("profile", "default")
    )
    return here and not place.what.startswith(UNREADABLE)
