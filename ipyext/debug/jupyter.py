"""What Jupyter adds to the Debug Adapter Protocol about a session that is under way. Pure.

JupyterLab asks debugInfo when it connects, and again at every change of focus; it takes the
breakpoints in the answer for its own and sends them back.
"""

from __future__ import annotations

from collections.abc import Iterable

from ipyext.debug.breakpoints import Breakpoints
from ipyext.debug.parties import Message, Party
from ipyext.debug.states import Client


def fresh(party: Party) -> bool:
    """Whether it is a page that was just opened, and may join what is under way."""
    return party.adopts and not party.left and party.state is Client.NEW


def started(party: Party) -> bool:
    """What debugInfo says: whether the client may go on without initialize and attach."""
    return party.told_on or party.state in (Client.INITIALIZED, Client.ATTACHING)


def shared(party: Party, others: Iterable[Party], breakpoints: Breakpoints) -> list[Message]:
    """The breakpoints that a client is shown: its own, and those of its like."""
    files: dict[str, dict[int, Message]] = {}
    for one in (party, *(other for other in others if party.adopts)):
        for path, owned in breakpoints.of(one.key).items():
            for breakpoint_ in owned:
                party.shown.add(breakpoint_.id)
                line = breakpoint_.line
                files.setdefault(path, {})[line] = {**breakpoint_.wanted, "line": line}
    return [
        {"source": path, "breakpoints": [lines[line] for line in sorted(lines)]}
        for path, lines in files.items()
    ]
