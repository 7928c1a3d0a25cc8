"""The arguments of %subshell and %%subshell."""

from __future__ import annotations

import difflib
import re
from argparse import Namespace
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from ipyext.protocol.routing import CellLine

_COMMENT = re.compile(r"(?:^|\s)#")

ACTIONS = {
    "create": "create [NAME]: create a subshell",
    "list": "list: the table of all shells (also without any argument)",
    "delete": "delete NAME|ID...|--all: delete subshells, running or not",
    "rename": "rename NAME|ID NEW: give a subshell another name",
    "interrupt": "interrupt [NAME|ID]: KeyboardInterrupt there; without a name as the stop button",
    "info": "info [NAME|ID]: everything about one subshell; without a name about this one",
    "history": "history [NAME|ID]: inputs of a subshell; without a name of this one",
    "jobs": "jobs: cells detached with %%subshell --detach",
    "patches": "patches: what ipyext changed in this kernel and why",
}


@magic_arguments()
@argument("action", nargs="?", default="list", help="; ".join(ACTIONS.values()) + ".")
@argument("names", nargs="*", help="Names or ids, as the action wants them.")
@argument("--all", action="store_true", help="With delete: every child subshell.")
@argument("-h", "--help", action="store_true", help="Print what there is.")
def line_arguments(line: str) -> None:
    """Arguments of %subshell."""


@magic_arguments()
@argument("name", nargs="?", help="Subshell to run in, created on demand; a fresh one if left out.")
@argument("--main-when-idle", action="store_true", help="Run on the main thread once it is free.")
@argument("--detach", action="store_true", help="Return at once with a job; output comes here.")
@argument("--job", metavar="VAR", help="With --detach: also assign the job to this variable.")
@argument("-h", "--help", action="store_true", help="Print what there is.")
def cell_arguments(line: str) -> None:
    """Arguments of %%subshell."""


def parse(kind: Any, line: str) -> Namespace:
    """Parse `line`, but for a comment at its end, by one of the two above.

    Raises:
        UsageError: it does not fit; the message says what would.
    """
    comment = _COMMENT.search(line)
    if comment is not None:
        line = line[: comment.start()]
    try:
        found = parse_argstring(kind, line)
    except (UsageError, ValueError) as error:  # ValueError: an unfinished quotation
        magic = "%subshell" if kind is line_arguments else "%%subshell"
        raise UsageError(
            f"{magic} {line}: {error}. See {magic.lstrip('%').join(['%', '?'])}."
        ) from None
    assert isinstance(found, Namespace)
    return found


def parse_line(line: str) -> Namespace:
    """Parse the line of %subshell.

    Raises:
        UsageError: unknown action or wrong number of names, with a hint.
    """
    arguments = parse(line_arguments, line)
    if arguments.help:
        return arguments
    if arguments.action not in ACTIONS:
        near = difflib.get_close_matches(arguments.action, ACTIONS, 1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise UsageError(
            f"%subshell has no action {arguments.action!r}. {hint}"
            f"Actions: {', '.join(ACTIONS)}. See %subshell?"
        )
    least, most = {
        "create": (0, 1),
        "delete": (0 if arguments.all else 1, 99),
        "rename": (2, 2),
        "interrupt": (0, 1),
        "info": (0, 1),
        "history": (0, 1),
    }.get(arguments.action, (0, 0))
    if not least <= len(arguments.names) <= most:
        raise UsageError(f"Usage: %subshell {ACTIONS[arguments.action]}")
    if arguments.all and arguments.action != "delete":
        raise UsageError("--all goes with %subshell delete only.")
    return arguments


def parse_cell_line(line: str) -> CellLine | None:
    """What follows ``%%subshell``, for routing; None if it is wrong (the magic then says so)."""
    try:
        arguments = parse(cell_arguments, line)
    except UsageError:
        return None
    if arguments.help or (arguments.job and not arguments.detach):
        return None
    if arguments.detach and arguments.main_when_idle:
        return None
    return CellLine(arguments.name, arguments.detach, arguments.main_when_idle)
