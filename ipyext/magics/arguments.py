"""The arguments of %subshell and %%subshell."""

from __future__ import annotations

from argparse import Namespace

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments

from ipyext.magics.actions import Action, Declared, parsed
from ipyext.protocol.routing import CellLine

_SHELL = "Its name, its id, or the first characters of that, four or more."
_THIS = f"{_SHELL} The one that runs this line if left out."


@magic_arguments()
@argument("name", nargs="?", metavar="NAME", help="The name it is to have.")
def _create(line: str) -> None:
    """The name of a new subshell."""


@magic_arguments()
@argument("names", nargs="*", metavar="NAME|ID", help=_SHELL)
@argument("--all", action="store_true", help="Every child subshell.")
def _delete(line: str) -> None:
    """Subshells."""


@magic_arguments()
@argument("name", metavar="NAME|ID", help=_SHELL)
@argument("new", metavar="NEW", help="The name it is to have.")
def _rename(line: str) -> None:
    """A subshell, and a name."""


@magic_arguments()
@argument("name", nargs="?", metavar="NAME|ID", help=f"{_SHELL} The stop button if left out.")
def _interrupt(line: str) -> None:
    """A subshell."""


@magic_arguments()
@argument("name", nargs="?", metavar="NAME|ID", help=_THIS)
def _shell(line: str) -> None:
    """A subshell."""


@magic_arguments()
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
