"""Settings: `c.IPyExt...` in a configuration file, `%config IPyExt` in a running kernel."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any

from traitlets import Bool, Dict, Enum, Float, Integer, TraitError, Unicode, observe, validate
from traitlets.config import Configurable

from ipyext.shells.engine import Engine
from ipyext.shells.registry import DEFAULT_LIMIT

POLICIES = ("auto", "main", "header")


class IPyExt(Configurable):
    """What a person can set. Changes take effect at once.

    Raises:
        TraitError: a value in the configuration is wrong.
    """

    answer_while_busy = Bool(
        True,
        help="Answer completion, inspection, history and kernel_info while main runs a cell.",
    ).tag(config=True)
    comms = Enum(
        POLICIES,
        "auto",
        help=(
            "Where comm (widget) messages are handled: 'auto' on main while it is idle, else in "
            "one thread of their own; 'main' always on main; 'header' in the subshell that the "
            "message names."
        ),
    ).tag(config=True)
    comm_targets = Dict(
        key_trait=Unicode(),
        value_trait=Enum(POLICIES),
        help=(
            "Where the messages of single comm targets are handled, as `comms` says it for all, "
            "for instance {'jupyter.widget': 'main'}."
        ),
    ).tag(config=True)
    max_subshells = Integer(
        DEFAULT_LIMIT, min=0, help="How many child subshells there may be at once."
    ).tag(config=True)
    cull_idle_subshells = Float(
        0.0,
        min=0.0,
        help=(
            "Delete a child subshell after this many seconds without work (tasks and timers of "
            "its event loop count), if the client that created it has sent nothing for as long. "
            "0: never."
        ),
    ).tag(config=True)

    cull_orphaned_subshells = Float(
        60.0,
        min=0.0,
        help=(
            "Delete a child subshell without a name after this many seconds without work (as "
            "above), once the connection of the client that created it is lost. It comes back "
            "when somebody sends it something. 0: never."
        ),
    ).tag(config=True)

    debug_stop = Enum(
        ("thread", "all"),
        "thread",
        help=(
            "What a breakpoint stops: 'thread', only the thread that came by, so that every other "
            "shell goes on; or 'all'."
        ),
    ).tag(config=True)

    keep_output = Float(
        64.0,
        min=0.0,
        help=(
            "How many megabytes of what cells put out are kept, for %subshell output. When there "
            "is more, whole cells are dropped, first the one whose latest output is oldest. "
            "0: nothing is kept."
        ),
    ).tag(config=True)

    def __init__(self, engine: Engine, **options: Any) -> None:
        super().__init__(**options)
        self._engine = engine
        self._in_force = False

    @validate("cull_idle_subshells", "cull_orphaned_subshells", "keep_output")
    def _finite(self, proposal: Any) -> Any:
        if not math.isfinite(proposal["value"]):
            name = proposal["trait"].name
            unit = "megabytes" if name == "keep_output" else "seconds"
            raise TraitError(
                f"The value of the {name!r} trait of an IPyExt instance should "
                f"be a number of {unit}, but a value of {proposal['value']} was specified"
            )
        return proposal["value"]

    @validate("max_subshells")
    def _number(self, proposal: Any) -> Any:
        if isinstance(proposal["value"], bool):
            raise TraitError(
                "The value of the 'max_subshells' trait of an IPyExt instance should be a whole "
                f"number, but {proposal['value']} was specified"
            )
        return proposal["value"]

    @observe(
        "answer_while_busy",
        "comms",
        "comm_targets",
        "max_subshells",
        "cull_idle_subshells",
        "cull_orphaned_subshells",
        "debug_stop",
        "keep_output",
    )
    def _changed(self, change: Any) -> None:
        if getattr(self, "_in_force", False):
            self.apply()

    def apply(self) -> None:
        """Put the settings in force, and every later change at once. The engine must be open."""
        self._in_force = True
        engine = self._engine
        engine.router.answer_while_busy = self.answer_while_busy
        engine.router.comms = self.comms
        engine.router.comm_targets = dict(self.comm_targets)
        engine.registry.limit = self.max_subshells
        engine.culler.seconds = self.cull_idle_subshells
        engine.culler.orphan_seconds = self.cull_orphaned_subshells
        engine.debug.stop_all(self.debug_stop == "all")
        engine.outputs.set_limit(self.keep_output)


def unknown(names: Collection[str]) -> Iterator[str]:
    """What to say about each of `names` that is no setting."""
    import difflib  # nearly nobody needs it

    settings = IPyExt.class_trait_names(config=True)
    for name in sorted(set(names) - set(settings)):
        near = difflib.get_close_matches(name, settings, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        yield f"IPyExt has no setting {name!r}, so it is ignored.{hint}"
