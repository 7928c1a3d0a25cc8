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
    """What can be seen before the self-test.

    Attributes:
        needs: what it depends on, all of it there.
        findings: versions beside the checked range.
        beside: other versions by name, for reports of faults.
        places: where `ipyext install` has put it, to load by itself.
        elsewhere: where people have named it themselves.
        disabled: whether kernels started from here do not load it all the same.
        dead: kernelspecs that cannot start.
        loaded: whether a kernel with the user's configuration has loaded it by itself; None if
            none was started, or it did not answer.
        problem: what is wrong with that kernel; empty if nothing is.
    """

    needs: Sequence[Need]
    findings: Sequence[Finding]
    beside: dict[str, str]
    places: Sequence[Place]
    elsewhere: Sequence[Place]
    disabled: bool
    dead: Sequence[Place]
    loaded: bool | None
    problem: str

    @property
    def fits(self) -> bool:
        """Whether all versions are checked ones."""
        return not any(finding.problem for finding in self.findings)


class DoctorReport(Report, Protocol):
    """Told the facts before the steps."""

    def facts(self, facts: Facts) -> None:
        """What can be seen before the self-test."""


class DoctorJson(JsonReport):
    """One JSON object, at the end. The reference documents it."""

    def facts(self, facts: Facts) -> None:
        self._facts = facts

    def _found(self, outcomes: Sequence[Outcome], log: str) -> dict[str, Any]:
        found = super()._found(outcomes, log)
        return {
            "format": FORMAT,
            "ipyext": found["ipyext"],
            "ok": found["ok"] and not self._facts.problem,
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
            "elsewhere": [_with_reason(place) for place in self._facts.elsewhere],
            "disabled": self._facts.disabled,
            "loaded": self._facts.loaded,
            "problem": self._facts.problem,
            "dead": [_with_reason(place) for place in self._facts.dead],
            "patches": [row for outcome in outcomes for row in outcome.findings.details],
            **{name: found[name] for name in ("planned", "steps", "log")},
        }


def _with_reason(place: Place) -> dict[str, str]:
    return {
        "kind": place.kind,
        "name": place.name,
        "path": str(place.path),
        "what": place.what,
    }


class DoctorText(TextReport):
    """Readable progress; see `TextReport`."""

    def facts(self, facts: Facts) -> None:
        self._facts = facts
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
        self._with_reasons(facts.elsewhere)
        if facts.loaded is not None:
            loads = "loads it" if facts.loaded else "does not load it"
            console.print(f"   [dim]a kernel that was started with all that {loads}[/]")
        if facts.dead:
            console.print("[bold]Kernelspecs that cannot start[/], with or without ipyext")
        self._with_reasons(facts.dead)
        if facts.problem:
            self._line(facts.problem, "red")
        if facts.disabled:
            self._line(f"{SWITCH} is set here: kernels started from here do not load it.", "red")
        console.print()

    def end(self, outcomes: Sequence[Outcome], log: str) -> None:
        if self._facts.fits:
            super().end(outcomes, log)
            if self._facts.problem:
                self._console.print("[bold red]But your own kernels have a problem[/], see above.")
            return
        self._console.print()
        self._console.print(
            "[bold red]ipyext does not load beside these versions[/], so nothing was tried. "
            "See the advice above."
        )

    def _with_reasons(self, places: Sequence[Place]) -> None:
        for place in places:
            text = f"{place.kind} {place.name}: {place.path} ({place.what})"
            self._console.print(f"   {escape(text)}", soft_wrap=True)
