"""``ipyext demo``: the promises of the extension, shown and checked on a real, stock kernel.

`ipyext.demo.steps` is the list of what is shown, `ipyext.demo.kernel` the kernel process and a
plain client of it, `ipyext.demo.report` how it is told. Only public Jupyter messages are used.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ipyext.demo.kernel import DemoError, StockKernel
from ipyext.demo.report import Outcome, Report
from ipyext.demo.steps import STEPS, Stage, Step

__all__ = ["run"]


def run(report: Report, timeout: float, steps: Sequence[Step] = STEPS) -> bool:
    """Go through all steps; True if every one of them did what it says.

    A failed step ends it, because later ones build on it. The kernel process is ended
    whatever happens.

    Args:
        report: told what happens.
        timeout: seconds that any single wait may take.
        steps: what to go through, on one kernel.
    """
    report.begin(steps)
    outcomes: list[Outcome] = []
    log = ""
    try:
        with StockKernel(timeout) as kernel:
            stage = Stage(kernel)
            for number, step in enumerate(steps, 1):
                report.step(number, step)
                outcomes.append(_outcome(step, stage))
                report.outcome(outcomes[-1])
                if not outcomes[-1].ok:
                    log = kernel.log()
                    break
    except DemoError as error:  # there was no kernel to show anything on
        outcomes.append(Outcome(steps[0], False, 0.0, failure=str(error)))
        report.outcome(outcomes[-1])
    passed = len(outcomes) == len(steps) and all(outcome.ok for outcome in outcomes)
    report.end(outcomes, log)
    return passed


def _outcome(step: Step, stage: Stage) -> Outcome:
    start = time.perf_counter()
    try:
        findings = step.run(stage)
    except DemoError as error:
        return Outcome(step, False, time.perf_counter() - start, failure=str(error))
    return Outcome(step, True, time.perf_counter() - start, findings)
