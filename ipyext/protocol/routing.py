"""Where a message of the shell channel goes.

The rules, first match first:

1. `header.subshell_id` names a child: to that child. Unknown or not a string: refused.
2. Comm messages: by the policy, see `comm_route`.
3. A cell that starts with ``%%subshell``: to the child that it names, or to a fresh one. To main
   if main will have unloaded the extension and loaded it again when it comes to it: before that,
   the unload would delete the child under it.
   If it is detached, or wrong: to main where that comes to it at once, else to the service thread;
   the cell that it launches keeps its place in the child's queue (`Route.launches`).
4. A cell of nothing but ``%subshell`` and ``%debugctl`` lines, or of questions about those magics
   (``%debugctl?``), while main is busy: to the service thread.
5. Shutdown: on the spot. While main is busy: read-only requests on the spot or to the service
   thread.
6. Everything else: to main.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Destination(Enum):
    PARENT = "parent"
    CHILD = "child"  # `Route.name` is its id
    NAMED = "named"  # `Route.name` is a name; made on demand
    FRESH = "fresh"  # made for this request, gone after it
    SERVICE = "service"
    INLINE = "inline"  # quick and read-only: answered in the shell channel thread
    COMMS = "comms"
    REFUSE = "refuse"  # `Route.name` says why


@dataclass(frozen=True)
class Route:
    to: Destination
    name: str = ""
    on_main: bool = False
    launches: bool = False  # a cell that is detached in the child `name`; if empty, in a fresh one


@dataclass(frozen=True)
class CellLine:
    """The first line of a ``%%subshell`` cell, understood."""

    name: str | None = None
    detach: bool = False
    on_main: bool = False


@dataclass(frozen=True)
class View:
    """What routing must know of the kernel at this moment."""

    main_busy: bool
    is_child: Callable[[str], bool]
    parse_line: Callable[[str], CellLine | None]
    answer_while_busy: bool = True
    comms: str = "auto"
    comm_waits: str = ""  # see `comm_route`
    main_launches: Callable[[], bool] = bool  # all that main does is launching detached cells
    before: Callable[[], Iterable[str]] = tuple  # the cells that main runs first, oldest first


COMM_TYPES = frozenset({"comm_open", "comm_msg", "comm_close"})
QUICK = frozenset({"kernel_info_request", "connect_request", "comm_info_request"})
READ_ONLY = frozenset(
    {"complete_request", "inspect_request", "is_complete_request", "history_request"}
)

_CELL_MAGIC = re.compile(r"\s*%%subshell(?!\S)([^\n]*)\n?", re.ASCII)
_LOADS = re.compile(r"^\s*%?(un)?load_ext\s+ipyext\s*$", re.MULTILINE)
_OUR_LINE = re.compile(
    r"%(?:subshell|debugctl)(?!\S)"
    r"|\?{1,2}%%?(?:subshell|debugctl)\Z|%%?(?:subshell|debugctl)\?{1,2}\Z",
    re.ASCII,
)


def cell_magic_line(code: str) -> str | None:
    """What follows ``%%subshell`` on the first line of a cell; None if it starts otherwise."""
    found = _CELL_MAGIC.match(code)
    return found[1].strip() if found else None


def cell_body(code: str) -> str:
    """The cell without its ``%%subshell`` line, in the same line numbers."""
    found = _CELL_MAGIC.match(code)
    if found is None:
        return code
    return "\n" * code[: found.end()].count("\n") + code[found.end() :]


def loads_again(cells: Iterable[str]) -> bool:
    """Whether these cells, one after the other, unload the extension and load it once more."""
    found = [prefix for code in cells for prefix in _LOADS.findall(code)]
    return "un" in found and found[-1] == ""


def only_our_lines(code: str) -> bool:
    """Whether a cell holds nothing but lines of our line magics (and comments)."""
    # Line by line: one expression for the whole cell backtracks for ever on some cells.
    found = False
    for line in code.splitlines():
        text = line.strip()
        if _OUR_LINE.match(text):
            found = True
        elif text and not text.startswith("#"):
            return False
    return found


def route(msg_type: str, header: dict[str, Any], content: Any, view: View) -> Route:
    """Decide where a message goes. See the module's rules."""
    subshell_id = header.get("subshell_id")
    if msg_type in COMM_TYPES:
        return comm_route(subshell_id, view)
    if subshell_id is not None:
        if isinstance(subshell_id, str) and view.is_child(subshell_id):
            return Route(Destination.CHILD, subshell_id)
        return Route(Destination.REFUSE, repr(subshell_id))
    if msg_type in ("shutdown_request", "interrupt_request"):
        return Route(Destination.INLINE)  # as on control: they wait for no cell
    code = content.get("code") if isinstance(content, dict) else None
    if msg_type == "execute_request" and isinstance(code, str):
        return _cell_route(code, view)
    if view.main_busy and view.answer_while_busy:
        if msg_type in QUICK:
            return Route(Destination.INLINE)
        if msg_type in READ_ONLY:
            return Route(Destination.SERVICE)
    return Route(Destination.PARENT)


def _cell_route(code: str, view: View) -> Route:
    line = cell_magic_line(code)
    if line is not None:
        if loads_again(view.before()):
            return Route(Destination.PARENT)
        parsed = view.parse_line(line)
        # Launched, or told what is wrong, by the magic itself.
        at_once = not view.main_busy or view.main_launches()
        magic = Destination.PARENT if at_once else Destination.SERVICE
        if parsed is None or not cell_body(code).strip():
            return Route(magic)
        if parsed.detach:
            return Route(magic, parsed.name or "", launches=True)
        if parsed.name is None:
            return Route(Destination.FRESH, on_main=parsed.on_main)
        return Route(Destination.NAMED, parsed.name, parsed.on_main)
    if view.main_busy and only_our_lines(code):
        return Route(Destination.SERVICE)
    return Route(Destination.PARENT)


def comm_route(subshell_id: Any, view: View) -> Route:
    """Comm messages by policy: ``auto``, ``main`` or ``header``.

    A comm outlives the subshell that its messages once came from, so an unknown id is no error.
    Messages of one comm stay together while an earlier one is not done with, so that no two of
    its callbacks ever run at once. `View.comm_waits` says where that one is: ``"parent"``,
    ``"comms"`` or the id of a child; empty if there is none.
    """
    if view.comm_waits in ("parent", "comms"):
        return Route(Destination(view.comm_waits))
    if view.comm_waits:
        return Route(Destination.CHILD, view.comm_waits)
    if view.comms == "header" and isinstance(subshell_id, str) and view.is_child(subshell_id):
        return Route(Destination.CHILD, subshell_id)
    if view.comms == "auto" and view.main_busy:
        return Route(Destination.COMMS)
    return Route(Destination.PARENT)
