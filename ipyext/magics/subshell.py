"""%subshell and %%subshell."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from keyword import iskeyword
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from ipyext.errors import IpyextError, JobNotDoneError, SubshellNotFoundError
from ipyext.magics.actions import documented
from ipyext.magics.arguments import ACTIONS, CELL, CELL_USAGE, SUBSHELL, parse
from ipyext.magics.output import show_again, show_list
from ipyext.magics.tables import clock, duration, first_line, show_table
from ipyext.shells import view
from ipyext.shells.engine import Engine
from ipyext.shells.jobs import Job


@magics_class
class SubshellMagics(Magics):
    """The magics of the extension. They run in whatever shell their cell runs in."""

    def __init__(self, shell: Any, engine: Engine) -> None:
        super().__init__()  # without the shell, which would keep this object for good
        self.shell: Any = shell
        self._engine = engine

    @no_var_expand
    @line_magic("subshell")  # type: ignore[arg-type]
    @documented(SUBSHELL.overview())
    def subshell(self, line: str) -> None:
        name, arguments = SUBSHELL.parse(line)
        if arguments.help:
            print(arguments.help, end="")  # noqa: T201
            return
        try:
            getattr(self, f"_{name}")(arguments)
        except IpyextError as error:
            raise UsageError(str(error)) from None

    @no_var_expand
    @cell_magic("subshell")  # type: ignore[arg-type]
    @documented(CELL.described(CELL_USAGE))
    def subshell_cell(self, line: str, cell: str) -> Any:
        arguments = parse(line)
        if arguments.help:
            print(CELL.described(CELL_USAGE), end="")  # noqa: T201
            return None
        if arguments.job and not arguments.detach:
            raise UsageError("--job goes with --detach: only a detached cell has a job.")
        if arguments.main_when_idle and arguments.detach:
            raise UsageError("--main-when-idle waits for main, so it does not go with --detach.")
        if arguments.job and (iskeyword(arguments.job) or not arguments.job.isidentifier()):
            raise UsageError(f"--job {arguments.job!r} is not a variable name.")
        name, code, launcher = arguments.name, "\n" + cell, self._engine.launcher
        try:
            if arguments.detach:
                return launcher.detach(name, code, functools.partial(self._assign, arguments.job))
            job = launcher.submit(name, code, captured=self.shell)
        except IpyextError as error:
            raise UsageError(str(error)) from None
        # A cell that was not routed: run from a function, or from within another subshell.
        try:
            job.result()
        except KeyboardInterrupt:
            job.cancel()
            raise
        except JobNotDoneError:
            job.cancel()
            raise UsageError(
                f"This cell is part of what subshell {job.subshell} does, and one cell at a time "
                "runs there. Leave out the inner %%subshell, or name another subshell."
            ) from None
        except Exception as error:
            raise UsageError(f"The cell failed in subshell {job.subshell}: {error!r}") from None
        return None

    def _assign(self, variable: str | None, job: Job) -> None:
        if variable:
            self.shell.user_ns[variable] = job

    # -- actions -------------------------------------------------------------------------------

    def _list(self, arguments: Any) -> None:
        current = view.current(self._engine)
        rows: list[tuple[object, ...]] = [
            (
                "*" if shell.id == current.id else "",
                shell.name or ("main" if shell.id is None else ""),
                f"{shell.state} {duration(shell.seconds)}",
                first_line(shell.running),
                shell.queued,
                shell.executed,
                shell.id or "",
            )
            for shell in view.everyone(self._engine)
        ]
        stock = self._engine.host.stock_subshells()
        rows += [("", "", "made before ipyext", "", "", "", stock_id) for stock_id in stock]
        show_table(("", "name", "state", "runs", "queue", "cells", "id"), rows)

    def _create(self, arguments: Any) -> None:
        shell = self._engine.registry.create(arguments.name)
        name = f"{shell.name} ({shell.id})" if shell.name else str(shell.id)
        print(f"Created subshell {name}.")  # noqa: T201

    def _delete(self, arguments: Any) -> None:
        engine = self._engine
        if arguments.all:
            wanted = engine.list_ids()
        else:
            stock = engine.host.stock_subshells()
            # All are looked up first: where one name is wrong, nothing is deleted.
            wanted = [
                name if name in stock else str(_child(engine, name, "deleted").id)
                for name in arguments.names
            ]
        wanted = list(dict.fromkeys(wanted))
        for shell_id in wanted:
            with suppress(SubshellNotFoundError):  # it has gone meanwhile
                engine.delete_id(shell_id)
        print(f"Deleted {len(wanted)} subshell{'s' * (len(wanted) != 1)}.")  # noqa: T201

    def _rename(self, arguments: Any) -> None:
        _child(self._engine, arguments.name, "renamed").rename(arguments.new)
        print(f"Subshell {arguments.name} is now called {arguments.new}.")  # noqa: T201

    def _interrupt(self, arguments: Any) -> None:
        if arguments.name:
            blocked = view.find(self._engine, arguments.name).interrupt()
        else:
            blocked = self._engine.interrupts.stop_button()
        for child in blocked:
            print(  # noqa: T201
                f"{child.name or child.subshell_id} is in native code, first interrupted "
                f"{child.seconds:.0f} s ago. It stops when that call returns."
            )

    def _wanted(self, arguments: Any) -> view.Subshell:
        if arguments.name:
            return view.find(self._engine, arguments.name)
        return view.current(self._engine)

    def _info(self, arguments: Any) -> None:
        shell = self._wanted(arguments)
        show_table(
            ("", shell.label),
            [
                ("id", shell.id or "(the parent subshell has none)"),
                ("name", shell.name or ""),
                ("state", f"{shell.state} for {duration(shell.seconds)}"),
                ("runs", first_line(shell.running, 200)),
                ("queue", shell.queued),
                ("cells run", shell.executed),
                ("thread", shell.thread),
            ],
        )

    def _history(self, arguments: Any) -> None:
        shell = self._wanted(arguments)
        for number, code in enumerate(shell.inputs(), 1):
            print(f"{number:4}: {code}")  # noqa: T201

    def _output(self, arguments: Any) -> None:
        outputs, name, since = self._engine.outputs, arguments.name, arguments.since
        with outputs.aside():
            if arguments.count is not None:
                cells = [outputs.cell(arguments.count, name or "main")]
            elif arguments.last:
                cells = [outputs.last(name)]
            elif since is not None:
                cells = outputs.cells(name, since)
                if not cells:
                    print(f"Nothing since {clock(since)}.")  # noqa: T201
            else:
                show_list(outputs, name, arguments.all)
                return
            for cell in cells:
                show_again(outputs, cell, since)

    def _jobs(self, arguments: Any) -> None:
        rows = [
            (job.number, job.subshell, job.status, duration(job.seconds), first_line(job.code))
            for job in self._engine.launcher.jobs
        ]
        show_table(("job", "subshell", "state", "time", "code"), rows)

    def _patches(self, arguments: Any) -> None:
        rows = [
            (entry.patch.id, entry.place, entry.state, entry.patch.what, entry.patch.why)
            for entry in self._engine.host.report()
        ]
        show_table(("patch", "where", "state", "what", "why"), rows)

    # -- completion ----------------------------------------------------------------------------

    def completers(self) -> dict[str, Callable[[Any], list[str]]]:
        """Custom completers by the first word of a line."""
        return {"%subshell": self._complete_line, "%%subshell": self._complete_cell}

    def _names(self) -> list[str]:
        return [child.label for child in self._engine.registry.all()]

    def _complete_line(self, event: Any) -> list[str]:
        words = event.line.split()
        if event.symbol:
            words = words[:-1]
        if len(words) <= 1:
            return list(ACTIONS)
        if words[1] in ("delete", "rename", "interrupt", "info", "history"):
            return [*self._names(), *(["--all"] if words[1] == "delete" else [])]
        if words[1] == "output":
            options = ["--last", "--since", "--all"]
            return [*self._engine.outputs.names(), *(o for o in options if o not in words)]
        return []

    def _complete_cell(self, event: Any) -> list[str]:
        return [*self._names(), "--detach", "--job", "--main-when-idle"]


def _child(engine: Engine, name: str, what: str) -> view.Subshell:
    """The child subshell of that name; a hint if it is the parent."""
    shell = view.find(engine, name)
    if shell.id is None:
        raise UsageError(f"main is the parent subshell and cannot be {what}; it is the kernel.")
    return shell
