"""What cells have put out, listed and shown again."""

from __future__ import annotations

import html
import sys
import time
from typing import Any

from IPython.display import publish_display_data

from ipyext.magics.tables import clock, duration, first_line, show, show_table, size
from ipyext.shells.cell_output import CellOutput
from ipyext.shells.outputs import Outputs

LISTED = 20  # cells in a list, if not all are asked for


def show_list(outputs: Outputs, name: str | None, every: bool) -> None:
    """The table of cells whose output is kept, the latest last."""
    cells = outputs.cells(name)
    shown = cells if every else cells[-LISTED:]
    rows = [
        (
            ", ".join(cell.shells),
            _prompt(cell),
            _state(cell),
            clock(cell.began),
            size(cell.size),
            first_line(cell.code),
        )
        for cell in shown
    ]
    notes = ["%subshell output N [NAME] shows a cell's output again, --last that of the last one."]
    if len(shown) < len(cells):
        notes.insert(0, f"{len(cells) - len(shown)} older ones: %subshell output --all.")
    if outputs.dropped:
        notes.insert(0, f"{outputs.dropped} cells were dropped: {_limit(outputs)}.")
    if not outputs.megabytes:
        notes = [f"Nothing is kept: {_limit(outputs)}."]
    show_table(("shell", "cell", "state", "began", "size", "code"), rows, " ".join(notes))


def show_again(outputs: Outputs, cell: CellOutput, since: float | None) -> None:
    """Put out what that cell has put out, under a line that says so."""
    found = cell.outputs(since)
    state = _state(cell) if cell.ended is None else f"ended {clock(cell.ended)}"
    what = f"{_prompt(cell)} of {', '.join(cell.shells)}, {state}: {first_line(cell.code, 60)}"
    notes = []
    if cell.lost:
        notes.append(f"Its first {cell.lost} messages were dropped: {_limit(outputs)}.")
    if not found:
        notes.append("Nothing was put out." if since is None else f"Nothing since {clock(since)}.")
    text = "\n".join([what, *notes])
    show(text, f"<p><b>{html.escape(what)}</b> {html.escape(' '.join(notes))}</p>")
    for output in found:
        _put_out(output)


def _put_out(output: dict[str, Any]) -> None:
    """One output, by the ways of the calling cell."""
    kind = output["output_type"]
    if kind == "stream":
        stream = sys.stderr if output["name"] == "stderr" else sys.stdout
        stream.write(output["text"])
        stream.flush()  # each stream has a buffer of its own, which would mix up their order
    elif kind == "error":
        # As text: of an error message, front ends think that it is the calling cell that failed.
        sys.stderr.write("\n".join(output["traceback"]) + "\n")
        sys.stderr.flush()
    else:
        transient = {"transient": output["transient"]} if output.get("transient") else {}
        publish_display_data(output["data"], output.get("metadata") or {}, **transient)


def _prompt(cell: CellOutput) -> str:
    return f"In [{' ' if cell.count is None else cell.count}]"


def _state(cell: CellOutput) -> str:
    return f"running {duration(time.time() - cell.began)}" if cell.running else "ended"


def _limit(outputs: Outputs) -> str:
    return f"IPyExt.keep_output is {outputs.megabytes:g} MB"
