"""Tables as text and HTML at once."""

from __future__ import annotations

import html
from collections.abc import Sequence

from IPython.display import display


def show_table(headers: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """Display a table; `note` is a line below it."""
    from tabulate import tabulate  # 50 ms, which a kernel that starts has no use for

    cells = [[str(cell) for cell in row] for row in rows]
    text = tabulate(cells, headers=headers, disable_numparse=True)
    page = tabulate(cells, headers=headers, tablefmt="html", disable_numparse=True)
    if note:
        text += f"\n{note}"
        page += f"<p>{html.escape(note)}</p>"
    display({"text/plain": text, "text/html": page}, raw=True)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def first_line(code: str, width: int = 40) -> str:
    """The first line of code that says something, shortened."""
    line = next((line.strip() for line in code.splitlines() if line.strip()), "")
    return line if len(line) <= width else line[: width - 3] + "..."
