"""How the doctor tells what it found: to people as text, to programs as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.markup import escape

from ipyext.autoload import SWITCH
from ipyext.demo.report import JsonReport, Outcome, Report, TextReport
from ipyext.doctor.needs import FORMAT, Need
from ipyext.install.survey import Place
from ipyext_patches import Finding


@dataclass(frozen=True)
class Facts:
    """What can be seen without a kernel.

    Attributes:
        needs: what it depends on, all of it there.
        findings: versions beside the checked range.
        beside: other versions by name, for reports of faults.
        places: where `ipyext install` has put it, to load by itself.
        elsewhere: where people have named it themselves.
        disabled: whether kernels started from here do not load it all the same.
    """

    needs: Sequence[Need]
    findings: Sequence[Finding]
    beside: dict[str, str]
    places: Sequence[Place]
    elsewhere: Sequence[Place]
    disabled: bool

    @property
    def fits(self) -> bool:
        """Whether all versions are checked ones."""
        return not any(finding.problem for finding in self.findings)


class DoctorReport(Report, Protocol):
    """Told the facts before the steps."""

    def facts(self, facts: Facts) -> None:
        """What can be seen without a kernel."""


class DoctorJson(JsonReport):
    """One JSON object, at the end. The reference documents it."""

    def facts(self, facts: Facts) -> None:
        self._facts = facts

    def _found(self, outcomes: Sequence[Outcome], log: str) -> dict[str, Any]:
        found = super()._found(outcomes, log)
        return {
            "format": FORMAT,
            "ipyext": found["ipyext"],
            "ok": found["ok"],
            "python": sys.executable,
            "needs": [need.row() for need in self._facts.needs],
            "versions": [
                {
                    "name": finding.checked.distribution,
                    "version": finding.version,
                    "checked": finding.checked.versions.split("|"),
                    "ok": finding.problem is None,
                    "advice": "" if finding.problem is None else finding.checked.advice,
                }
                for finding in self._facts.findings
            ],
            "beside": self._facts.beside,
            "autoload": [
                {"kind": place.kind, "name": place.name, "path": str(place.path)}
                for place in self._facts.places
            ],
            "elsewhere": [
                {
                    "kind": place.kind,
                    "name": place.name,
                    "path": str(place.path),
                    "what": place.what,
                }
                for place in self._facts.elsewhere
            ],
            "disabled": self._facts.disabled,
            "patches": [row for outcome in outcomes for row in outcome.findings.details],
            **{name: found[name] for name in ("planned", "steps", "log")},
        }


class DoctorText(TextReport):
    """Readable progress; see `TextReport`."""

    def facts(self, facts: Facts) -> None:
        self._fits = facts.fits
        console = self._console
        console.print("[bold]Versions[/], beside those that this release was checked with")
        for finding in facts.findings:
            checked = finding.checked
            mark, style = self._mark(finding.problem is None), "green"
            if finding.problem is not None:
                style = "bold red"
            console.print(
                f"   [{style}]{mark}[/] {checked.distribution} {finding.version or 'missing'} "
                f"[dim]({escape(checked.versions.replace('|', ' or '))})[/]"
            )
            if finding.problem is not None:
                self._line(checked.advice, "red")
        beside = ", ".join(f"{name} {version}" for name, version in facts.beside.items())
        console.print(f"   [dim]beside {beside}; {escape(sys.executable)}[/]", soft_wrap=True)
        console.print()
        console.print("[bold]Loaded by itself[/], where `ipyext install` has put it")
        for place in facts.places:
            text = f"{place.kind} {place.name}: {place.path}"
            console.print(f"   {escape(text)}", soft_wrap=True)
        if not facts.places:
            console.print("   nowhere; ipyext install --help says how to change that")
        if facts.elsewhere:
            console.print("[bold]Named elsewhere[/], by lines that `ipyext install` leaves alone")
        for place in facts.elsewhere:
            text = f"{place.kind} {place.name}: {place.path} ({place.what})"
            console.print(f"   {escape(text)}", soft_wrap=True)
        if facts.disabled:
            self._line(f"{SWITCH} is set here: kernels started from here do not load it.", "red")
        console.print()

    def end(self, outcomes: Sequence[Outcome], log: str) -> None:
        if self._fits:
            super().end(outcomes, log)
            return
        self._console.print()
        self._console.print(
            "[bold red]ipyext does not load beside these versions[/], so nothing was tried. "
            "See the advice above."
        )
