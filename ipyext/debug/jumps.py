"""Jumps of a stopped thread to another line. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipyext.debug.parties import Environment, Message, Party
from ipyext.debug.questions import Questions
from ipyext.debug.reports import Reports
from ipyext.debug.states import StateError


class Jumps:
    """gotoTargets and goto, kept within a file.

    debugpy jumps to a line by its number alone, in whatever file the thread is.

    Args:
        forward, fail: those of the multiplexer.
    """

    def __init__(
        self,
        debugpy: Questions,
        reports: Reports,
        environment: Environment,
        forward: Callable[..., None],
        fail: Callable[[Party, Message, str], None],
    ) -> None:
        self._debugpy = debugpy
        self._reports = reports
        self._environment = environment
        self._forward = forward
        self._fail = fail
        self._files: dict[Any, str] = {}  # by target

    def clear(self) -> None:
        """debugpy is gone: its targets mean nothing any more."""
        self._files.clear()

    def targets(self, party: Party, request: Message) -> None:
        """gotoTargets."""
        path = request["arguments"]["source"].get("path")

        def keep(response: Message) -> Message:
            for one in (response.get("body") or {}).get("targets") or []:
                self._files[one.get("id")] = path
            return response

        self._forward(party, request, keep if path else None)

    def goto(self, party: Party, request: Message) -> None:
        """goto.

        Raises:
            StateError: the thread runs.
        """
        thread = self._reports.need_stopped(request)
        path = self._files.get(request["arguments"]["targetId"])

        def jump(response: Message) -> None:
            frames = (response.get("body") or {}).get("stackFrames") or [{}]
            here = (frames[0].get("source") or {}).get("path")
            try:
                self._reports.need_stopped(request)  # it may have gone on meanwhile
                if path and here and not self._environment.same_file(path, here):
                    raise StateError("A jump stays in its function; this is to another file.")
            except StateError as error:
                self._fail(party, request, str(error))
            else:
                self._forward(party, request)

        arguments = {"threadId": thread, "startFrame": 0, "levels": 1}
        self._debugpy.ask("stackTrace", arguments, jump, party)
