"""What debugpy is asked, and what is done with its answers: once each, in any order. Pure."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

from ipyext.debug.parties import Action, Forward, Message, Party, Then
from ipyext.errors import said
from ipyext.protocol import dap

log = logging.getLogger("ipyext.debug")
SECONDS = 60.0  # also for what is quick: it may come behind many log messages

_NOTHING = (None, None, None)


class Questions:
    """The requests that debugpy works on.

    Args:
        add: where the requests go to be sent.
    """

    def __init__(self, add: Callable[[Action], None]) -> None:
        self._add = add
        self._seq = itertools.count(1)
        self._open: dict[int, tuple[Message, Then, Party | None]] = {}

    def ask(
        self,
        command: str,
        arguments: Message,
        then: Then | None = None,
        by: Party | None = None,
    ) -> None:
        """Send a request; `then` gets its response, or a failure in its place.

        `by` is the client who asks for it, if one does.
        """
        seq = next(self._seq)
        request = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
        self._open[seq] = (request, then or _ignore, by)
        self._add(Forward(request, SECONDS))

    def asker(self, seq: int) -> Party | None:
        """The client who has asked for a request that is not answered yet."""
        return self._open.get(seq, _NOTHING)[2]

    def answered(self, response: Message) -> None:
        """debugpy answers; nothing if that is too late, or once more."""
        request, then, _ = self._open.pop(response.get("request_seq", -1), _NOTHING)
        if request is not None and then is not None:
            _use(response, then, request)

    def expired(self, seq: int) -> None:
        """debugpy had its time for this request."""
        request, then, _ = self._open.pop(seq, _NOTHING)
        if request is not None and then is not None:
            why = f"The debugger did not answer {request['command']}."
            _use(dap.failure(request, why), then, request)

    def drop(self, why: str) -> None:
        """debugpy will answer nothing any more."""
        found, self._open = self._open, {}
        for request, then, _ in found.values():
            _use(dap.failure(request, why), then, request)


def _use(response: Message, then: Then, request: Message) -> None:
    """Call `then`; if that fails, once more, with a failure: whoever asked waits for an answer."""
    try:
        then(response)
    except Exception as error:
        log.exception("An answer of debugpy could not be used")
        then(dap.failure(request, f"The debug router failed: {said(error)}"))


def _ignore(response: Message) -> None:
    pass
