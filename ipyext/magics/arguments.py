"""The arguments of %subshell and %%subshell."""

from __future__ import annotations

import re
import time
from argparse import Namespace
from datetime import datetime

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from ipyext.magics.actions import Action, Arguments, Declared, parsed
from ipyext.protocol.routing import CellLine

_SHELL = "Its name, its id, or the first characters of that, four or more."
_THIS = f"{_SHELL} The one that runs this line if left out."
_AGO = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h|d)\Z")
_CLOCK = re.compile(r"\d\d?:\d\d(:\d\d)?\Z")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@Arguments
@argument("name", nargs="?", metavar="NAME", help="The name it is to have.")
def _create(line: str) -> None:
    """The name of a new subshell."""


@Arguments
@argument("names", nargs="*", metavar="NAME|ID", help=_SHELL)
@argument("--all", action="store_true", help="Every child subshell.")
def _delete(line: str) -> None:
    """Subshells."""


@Arguments
@argument("name", metavar="NAME|ID", help=_SHELL)
@argument("new", metavar="NEW", help="The name it is to have.")
def _rename(line: str) -> None:
    """A subshell, and a name."""


@Arguments
@argument("name", nargs="?", metavar="NAME|ID", help=f"{_SHELL} The stop button if left out.")
def _interrupt(line: str) -> None:
    """A subshell."""


@Arguments
@argument("name", nargs="?", metavar="NAME|ID", help=_THIS)
def _shell(line: str) -> None:
    """A subshell."""


@Arguments
@argument("names", nargs="*", metavar="[N] [NAME|ID]", help="A cell's number, and a subshell.")
@argument("--last", action="store_true", help="The cell that began last.")
@argument("--all", action="store_true", help="List them all, not only the latest 20.")
@argument(
    "--since",
    metavar="WHEN",
    help="Only what is newer than 90s, 10m, 2h, 1d, 14:30 or 2026-11-25T14:30.",
)
def _output(line: str) -> None:
    """Cells."""


@Arguments
@argument("name", nargs="?", metavar="NAME", help="The name or id of a subshell.")
@argument("--main-when-idle", action="store_true", help="Run on the main thread once it is free.")
@argument("--detach", action="store_true", help="Return at once with a job; output comes here.")
@argument("--job", metavar="VAR", help="With --detach: also assign the job to this variable.")
@argument("-h", "--help", action="store_true", help="Print this.")
def cell_arguments(line: str) -> None:
    """Arguments of %%subshell."""


def _some(arguments: Namespace, usage: str) -> None:
    if bool(arguments.names) == arguments.all:
        raise UsageError(usage)


def _cells(arguments: Namespace, usage: str) -> None:
    """Turn the words of %subshell output into `count`, `name` and, as seconds, `since`."""
    names = list(arguments.names)
    # Beside --last a number is the beginning of an id.
    counts = bool(names) and names[0].isdecimal() and not arguments.last
    arguments.count = int(names.pop(0)) if counts else None
    one = counts or arguments.last or arguments.since is not None
    if len(names) > 1 or (arguments.all and one):
        raise UsageError(usage)
    arguments.name = names[0] if names else None
    if arguments.since is not None:
        arguments.since = parse_moment(arguments.since, time.time())


def parse_moment(text: str, now: float) -> float:
    """A time in seconds since the epoch: so long before `now`, or by the clock.

    Raises:
        UsageError: it is none; the message says how it may be written.
    """
    ago = _AGO.match(text)
    try:
        if ago is not None:
            moment = now - float(ago[1]) * _SECONDS[ago[2]]
        elif _CLOCK.match(text):
            padded = text if text[2] == ":" else f"0{text}"
            today = datetime.fromtimestamp(now).date()
            moment = datetime.fromisoformat(f"{today}T{padded}").timestamp()
            moment = moment if moment <= now else moment - _SECONDS["d"]
        else:
            moment = datetime.fromisoformat(text).timestamp()
        datetime.fromtimestamp(moment)  # as it will be shown: no calendar goes back for ever
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--since {text!r} is no time. Use a number with s, m, h or d (90s, 10m), "
            "a time of the day (14:30) or a date with it (2026-11-25T14:30)."
        ) from None
    return moment


_NAMES = "A name starts with a letter, then letters, digits, `_`, `-` and `.`, 64 at most."
ACTIONS = {
    "list": Action("", "the table of all shells: state, what runs, queue, cells run"),
    "create": Action("[NAME]", "create a subshell", _create, _NAMES),
    "delete": Action(
        "NAME|ID...|--all",
        "delete subshells at once, running or not",
        _delete,
        "What they run is interrupted, and what waits there gets an error reply.",
        check=_some,
    ),
    "rename": Action("NAME|ID NEW", "give a subshell another name", _rename),
    "interrupt": Action(
        "[NAME|ID]",
        "KeyboardInterrupt there; without a name, what the stop button does",
        _interrupt,
    ),
    "info": Action(
        "[NAME|ID]", "everything about one subshell; without a name, about this one", _shell
    ),
    "history": Action("[NAME|ID]", "its inputs; without a name, those of this one", _shell),
    "output": Action(
        "[N|--last] [NAME|ID] [--since WHEN]|--all",
        "show again what cells have put out, running or not; by itself, the table of them",
        _output,
        "It shows cell N of main or of the subshell NAME, or the one that began last, as a front "
        "end would show it now. What this line shows is not kept in turn.",
        check=_cells,
    ),
    "jobs": Action("", "the cells that were detached with `%%subshell --detach`"),
    "patches": Action("", "what ipyext changed in this kernel, where, and why"),
}
CELL = Action(
    "[NAME] [--detach [--job VAR]] [--main-when-idle]",
    "run the cell in the subshell NAME, created on demand, also while main is busy",
    cell_arguments,
    "Without a name it runs in a fresh subshell, which goes when the cell ends. "
    "With `--detach` it returns at once with a job, which `--job VAR` assigns to a variable as "
    "well: `job.result()`, `job.status`, `job.cancel()`; output goes on appearing under the cell. "
    "With `--main-when-idle` the code runs on the main thread, as soon as that is free: for code "
    "that is bound to that thread. It does not go with `--detach`.",
)
CELL_USAGE = f"%%subshell {CELL.usage}"
SUBSHELL = Declared(
    "%subshell",
    "Subshells: run cells side by side in one kernel.",
    ACTIONS,
    "list",
    "A cell that holds only such lines is answered at once, also while main is busy. main is the\n"
    f"parent subshell.\n\n{CELL.described(CELL_USAGE)}",
)


def parse(line: str) -> Namespace:
    """Parse the line of %%subshell, but for a comment at its end.

    Raises:
        UsageError: it does not fit; the message says what would.
    """
    return parsed(cell_arguments, line, f"%%subshell {line}", "See %%subshell?")


def parse_cell_line(line: str) -> CellLine | None:
    """What follows ``%%subshell``, for routing; None if it is wrong (the magic then says so)."""
    try:
        arguments = parse(line)
    except UsageError:
        return None
    if arguments.help or (arguments.job and not arguments.detach):
        return None
    if arguments.detach and arguments.main_when_idle:
        return None
    return CellLine(arguments.name, arguments.detach, arguments.main_when_idle)
