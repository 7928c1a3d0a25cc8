"""``ipyext doctor``: whether the extension fits this environment, tried on a stock kernel.

`ipyext.doctor.steps` is the self-test, on the kernel process and the client of `ipyext.demo`;
`ipyext.doctor.report` tells it.
"""

from __future__ import annotations

from importlib import metadata

from ipyext import demo
from ipyext.autoload import switched_off
from ipyext.doctor.report import DoctorReport, Facts
from ipyext.doctor.steps import STEPS
from ipyext.install.survey import named_elsewhere, places
from ipyext_patches import findings

__all__ = ["run"]

# What else a report of a fault should name.
BESIDE = ("debugpy", "jupyter_client", "jupyter_core", "tornado", "traitlets")


def run(report: DoctorReport, timeout: float) -> bool:
    """Look at everything; True if the versions are checked ones and the self-test passed.

    With other versions there is no self-test: the extension would refuse to load.

    Args:
        report: told what is found.
        timeout: seconds that any single wait may take.
    """
    facts = Facts(findings(), _beside(), places(), named_elsewhere(), switched_off())
    report.facts(facts)
    if not facts.fits:
        report.begin(STEPS)
        report.end([], "")
        return False
    return demo.run(report, timeout, STEPS)


def _beside() -> dict[str, str]:
    found = {}
    for name in BESIDE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
