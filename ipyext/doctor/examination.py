"""All that the doctor looks at and tries, once what it needs for that is there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from ipyext import demo
from ipyext.autoload import switched_off
from ipyext.doctor import configured
from ipyext.doctor.needs import Need
from ipyext.doctor.report import DoctorReport, Facts
from ipyext.doctor.steps import STEPS
from ipyext.install.survey import dead_kernelspecs, named_elsewhere, places
from ipyext_patches import findings

# What else a report of a fault should name.
BESIDE = ("debugpy", "jupyter_client", "jupyter_core", "tornado", "traitlets")


def run(report: DoctorReport, timeout: float, needs: Sequence[Need]) -> bool:
    """Look at everything; True if all is well: versions, self-test, the user's own kernels.

    With other versions nothing is tried: the extension would refuse to load.

    Args:
        report: told what is found.
        timeout: seconds that any single wait may take.
        needs: what it depends on, all of it there.
    """
    versions = findings()
    started = None
    if not any(finding.problem for finding in versions):
        started = configured.start(timeout)
    installed = places()
    # What kernels do not come to the end of, we had better not read ourselves.
    silent = started is not None and started.loaded is None
    elsewhere = [] if silent else named_elsewhere()
    told = [] if switched_off() else [*installed, *elsewhere]
    facts = Facts(
        needs,
        versions,
        _beside(),
        installed,
        elsewhere,
        switched_off(),
        dead_kernelspecs(),
        None if started is None else started.loaded,
        "" if started is None else configured.problem(started, told),
    )
    report.facts(facts)
    if not facts.fits:
        report.begin(STEPS)
        report.end([], "")
        return False
    return demo.run(report, timeout, STEPS) and not facts.problem


def _beside() -> dict[str, str]:
    found = {}
    for name in BESIDE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
