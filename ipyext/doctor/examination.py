"""All that the doctor looks at and tries, once what it needs for that is there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from ipyext import demo
from ipyext.autoload import switched_off
from ipyext.doctor.needs import Need
from ipyext.doctor.report import DoctorReport, Facts
from ipyext.doctor.steps import STEPS
from ipyext.install.survey import named_elsewhere, places
from ipyext_patches import findings

# What else a report of a fault should name.
BESIDE = ("debugpy", "jupyter_client", "jupyter_core", "tornado", "traitlets")


def run(report: DoctorReport, timeout: float, needs: Sequence[Need]) -> bool:
    """Look at everything; True if the versions are checked ones and the self-test passed.

    With other versions there is no self-test: the extension would refuse to load.

    Args:
        report: told what is found.
        timeout: seconds that any single wait may take.
        needs: what it depends on, all of it there.
    """
    facts = Facts(needs, findings(), _beside(), places(), named_elsewhere(), switched_off())
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
