"""How the demo is told: to people as text, to programs as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from ipyext import __version__
from ipyext.demo.steps import Findings, Step


@dataclass(frozen=True)
class Outcome:
    """How a step came out."""

    step: Step
    ok: bool
    seconds: float
    findings: Findings = field(default_factory=Findings)
    failure: str = ""


class Report(Protocol):
    """Told what happens, in this order."""

    def begin(self, steps: Sequence[Step]) -> None:
        """It begins."""

    def step(self, number: int, step: Step) -> None:
        """A step begins."""

    def outcome(self, outcome: Outcome) -> None:
        """It has ended."""

    def end(self, outcomes: Sequence[Outcome], log: str) -> None:
        """It has ended; `log` is what the kernel wrote, if something failed."""


class JsonReport:
    """One JSON object, at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._total = 0

    def begin(self, steps: Sequence[Step]) -> None:
        self._total = len(steps)

    def step(self, number: int, step: Step) -> None:
        pass

    def outcome(self, outcome: Outcome) -> None:
        pass

    def end(self, outcomes: Sequence[Outcome], log: str) -> None:
        self._out.write(json.dumps(self._found(outcomes, log), indent=2) + "\n")

    def _found(self, outcomes: Sequence[Outcome], log: str) -> dict[str, Any]:
        return {
            "ipyext": __version__,
            "ok": len(outcomes) == self._total and all(o.ok for o in outcomes),
            "planned": self._total,
            "log": log,
            "steps": [
                {
                    "id": outcome.step.id,
                    "title": outcome.step.title,
                    "code": outcome.step.code,
                    "ok": outcome.ok,
                    "failure": outcome.failure,
                    "seconds": outcome.seconds,
                    "output": outcome.findings.output,
                    "lines": outcome.findings.lines,
                    "measures": outcome.findings.measures,
                }
                for outcome in outcomes
            ],
        }


class TextReport:
    """Readable progress. Colours, ticks and a spinner on a terminal, plain words elsewhere.

    Args:
        out: where to write.
        plain: no colours, no spinner and only ASCII, whatever `out` is.
    """

    def __init__(self, out: TextIO, plain: bool) -> None:
        self._console = Console(file=out, highlight=False, emoji=False)
        can_draw = self._console.is_terminal and self._console.encoding.startswith("utf")
        self._terminal = can_draw and not plain
        if not self._terminal:
            # Lines in a file or a pipe are broken by whoever shows them.
            self._console = Console(
                file=out, highlight=False, emoji=False, force_terminal=False, width=10_000
            )
        self._status: Status | None = None
        self._total = 0

    def begin(self, steps: Sequence[Step]) -> None:
        self._total = len(steps)
        self._console.print(f"[bold]ipyext {__version__}[/]: {self._total} steps on a real kernel")

    def step(self, number: int, step: Step) -> None:
        self._console.print()
        self._console.print(f"[bold cyan]{number:2}/{self._total} {escape(step.title)}[/]")
        self._line(step.shows, "italic")
        for line in step.code.splitlines():
            self._line(f"> {line}", "magenta" if line.startswith("<") else "yellow")
        if self._terminal:
            self._status = self._console.status("")
            self._status.start()

    def outcome(self, outcome: Outcome) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        for line in outcome.findings.output.rstrip().splitlines():
            self._line(f"| {line.rstrip()}", whole=False)
        for line in outcome.findings.lines:
            self._line(line)
        took = f"[dim]({outcome.seconds:.2f} s)[/]"
        if outcome.ok:
            self._console.print(f"   [green]{self._mark(True)}[/] {took}")
        else:
            self._console.print(f"   [bold red]{self._mark(False)}[/] {took}")
            for line in outcome.failure.splitlines():
                self._line(line, "red")

    def end(self, outcomes: Sequence[Outcome], log: str) -> None:
        self._console.print()
        if self._terminal:
            self._console.print(self._table(outcomes))
        passed = sum(outcome.ok for outcome in outcomes)
        seconds = sum(outcome.seconds for outcome in outcomes)
        if passed == self._total:
            self._console.print(
                f"[bold green]All {passed} steps did what they say[/], in {seconds:.1f} s."
            )
            return
        failed = [outcome for outcome in outcomes if not outcome.ok]
        self._console.print(f"[bold red]{passed} of {self._total} steps passed.[/]")
        for outcome in failed:
            self._console.print(Text(f"Failed: {outcome.step.title}. {outcome.failure}"))
        if len(outcomes) < self._total:
            self._console.print("Later steps build on it and were not tried.")
        if log:
            self._console.print(Text(f"The kernel wrote:\n{log}"))

    def _line(self, line: str, style: str = "", whole: bool = True) -> None:
        """An indented line; unless it must be seen `whole`, a narrow terminal cuts it."""
        text = Text(line, style, no_wrap=not whole, overflow="fold" if whole else "ellipsis")
        self._console.print(Padding.indent(text, 6))

    def _mark(self, ok: bool) -> str:
        if not self._terminal:
            return "ok" if ok else "FAILED"
        return "✓" if ok else "✗"

    def _table(self, outcomes: Sequence[Outcome]) -> Table:
        table = Table("", "step", "time", box=None, padding=(0, 2, 0, 0))
        table.columns[2].justify = "right"
        for outcome in outcomes:
            mark = f"[green]{self._mark(True)}[/]" if outcome.ok else f"[red]{self._mark(False)}[/]"
            table.add_row(mark, escape(outcome.step.title), f"{outcome.seconds:.2f} s")
        return table
