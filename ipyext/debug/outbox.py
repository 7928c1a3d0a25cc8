"""What the debug router sends to its clients: in order, numbered, each in its own paths. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from ipyext.debug.parties import Action, Message, Party, Publish, Reply, Tell
from ipyext.protocol import dap


class Outbox:
    """Who there is, and what is to be done for them.

    Attributes:
        parties: the clients, by key.
    """

    def __init__(self) -> None:
        self.parties: dict[int, Party] = {}
        self._actions: list[Action] = []
        self._jupyter_seq = itertools.count(1)  # one for all: they read the same iopub

    def add(self, action: Action) -> None:
        """This is to be done next."""
        self._actions.append(action)

    def take(self) -> list[Action]:
        """What is to be done now, in this order."""
        actions, self._actions = self._actions, []
        return actions

    @property
    def attached(self) -> list[Party]:
        """The clients that debug."""
        return [party for party in self.parties.values() if party.attached]

    # -- responses -----------------------------------------------------------------------------

    def asks(self, party: Party, request: Message) -> Message:
        """A client asks this. Returns our copy, which `reply` and the others take."""
        arguments = request.get("arguments")
        asked = {**request, "arguments": arguments if isinstance(arguments, dict) else {}}
        party.open[id(asked)] = (asked, request)
        return asked

    def reply(self, party: Party, asked: Message, response: Message) -> None:
        """The response to what a client asked; nothing if there was one already."""
        _, request = party.open.pop(id(asked), (None, None))
        if request is None:
            return
        body = party.paths.to_client(response.get("body") or {})
        found = {
            "seq": next(self._jupyter_seq if party.jupyter else party.seq),
            **dap.response(request, party.numbering.body(str(asked.get("command")), body)),
            "success": bool(response.get("success")),
        }
        if response.get("message") is not None:
            found["message"] = str(response["message"])
        why = dap.unsendable(found)
        if why is not None:
            found = {
                "seq": found["seq"],
                **dap.failure(request, f"The response is not JSON: {why}"),
            }
        self.add(Reply(party, request, dap.without_halves(found) if party.jupyter else found))

    def answer(self, party: Party, asked: Message, body: Message | None = None) -> None:
        """Say yes."""
        self.reply(party, asked, dap.response(asked, body))

    def fail(self, party: Party, asked: Message, why: str) -> None:
        """Say no."""
        self.reply(party, asked, dap.failure(asked, why))

    def fail_all(self, party: Party, why: str) -> None:
        """Say no to everything that has not been answered."""
        for asked, _ in list(party.open.values()):
            self.fail(party, asked, why)

    # -- events --------------------------------------------------------------------------------

    def tell(self, event: Message, party: Party | None) -> None:
        """An event for one client, if it (still) debugs."""
        if party is None or not party.attached:
            return
        if party.jupyter:
            self._publish(party, _counted(party, event))
        else:
            self._tell(party, event)

    def broadcast(self, seen_by: Callable[[Party | None], Message]) -> None:
        """An event for all that debug, as each sees it; None stands for those of Jupyter.

        Those read the same message, however they count lines.
        """
        if any(party.jupyter for party in self.attached):
            self._publish(None, seen_by(None))
        for party in self.attached:
            if not party.jupyter:
                self._tell(party, seen_by(party))

    def tell_all(self, event: Message) -> None:
        """The same event for all that debug."""
        self.broadcast(lambda _: event)

    def _publish(self, party: Party | None, event: Message) -> None:
        numbered = {"seq": next(self._jupyter_seq), **event}
        self.add(Publish(party, dap.without_halves(numbered)))

    def _tell(self, party: Party, event: Message) -> None:
        mapped = {"body": party.paths.to_client(event["body"])} if "body" in event else {}
        self.add(Tell(party, {"seq": next(party.seq), **_counted(party, {**event, **mapped})}))


def _counted(party: Party, event: Message) -> Message:
    """An event with lines and columns as this client counts them."""
    if "body" not in event:
        return event
    return {**event, "body": party.numbering.event(event["event"], event["body"])}
