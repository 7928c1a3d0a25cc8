"""Tables and other things as text and HTML at once; numbers as people say them."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence

from IPython.display import display


def show(text: str, page: str) -> None:
    """Display both."""
    display({"text/plain": text, "text/html": page}, raw=True)


def show_table(headers: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """Display a table; `note` is a line below it."""
    from tabulate import tabulate  # 50 ms, which a kernel that starts has no use for

    cells = [[str(cell) for cell in row] for row in rows]
    text = tabulate(cells, headers=headers, disable_numparse=True)
    page = tabulate(cells, headers=headers, tablefmt="html", disable_numparse=True)
    if note:
        text += f"\n{note}"
        page += f"<p>{html.escape(note)}</p>"
    show(text, page)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def clock(seconds: float) -> str:
    """Seconds since the epoch as a time of the day, with the date if that is not today's."""
    moment, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M:%S" if moment[:3] == now[:3] else "%Y-%m-%d %H:%M:%S", moment)


def size(count: int) -> str:
    """Bytes as people say them."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def first_line(code: str, width: int = 40) -> str:
    """The first line of code that says something, shortened."""
    line = next((line.strip() for line in code.splitlines() if line.strip()), "")
    return line if len(line) <= width else line[: width - 3] + "..."
