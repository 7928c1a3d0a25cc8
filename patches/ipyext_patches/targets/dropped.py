"""Interrupts that Python drops: it cannot raise them where they arrive."""

from __future__ import annotations

import functools
import sys
from typing import Any

from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

UNRAISABLE = Patch(
    id="interrupt.unraisable",
    target="sys.unraisablehook",
    what="An interrupt that ends a finalizer, or a callback of the garbage collector, comes again.",
    why=(
        "Python drops every exception there, and the cell runs on. ipykernel 6.29 to 7.0 itself "
        "has such a callback, which runs at each collection."
    ),
    upstream="ipykernel/ipkernel.py _clean_thread_parent_frames; Python/errors.c",
    shape=function(),
)


def change(ledger: Ledger, hooks: Hooks) -> Change:
    """Ask for it once more, and say nothing of an exception that was ignored."""
    stock, switch = sys.unraisablehook, ledger.switch

    @functools.wraps(stock)
    def unraisablehook(unraisable: Any, /) -> None:
        kind = unraisable.exc_type
        while switch.on:
            try:
                if hooks.dropped(kind):
                    return
                break
            except KeyboardInterrupt:  # the next one, which would be dropped as well
                kind = KeyboardInterrupt
        stock(unraisable)

    return SetAttribute(UNRAISABLE, sys, "unraisablehook", unraisablehook)
