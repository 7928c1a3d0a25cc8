"""Where a thread is, and source, as text and HTML at once."""

from __future__ import annotations

import html
from collections.abc import Callable

from ipyext.debug.stacks import Frame
from ipyext.debug.views import WITH_OTHERS, Stop
from ipyext.magics.tables import show

AROUND = 5  # lines before and after the one that is next
_MOST = 20_000  # lines of a file that are coloured

# Colours of their own, so that both light and dark pages can be read.
_BOX = "color:#222;background:#f8f8f8;padding:0.5em;margin:0.3em 0;line-height:1.3"
_HERE = "background:#fff0b3;display:inline-block;min-width:100%"


def show_stop(stop: Stop, lines_of: Callable[[str], list[str]]) -> None:
    """Where a thread is: a sentence, the source around it, its stack."""
    what = f"{stop.thread.label} has stopped: {stop.thread.stopped or WITH_OTHERS}"
    if stop.text:
        what += f" ({stop.text})"
    text, page = [what], [f"<p>{html.escape(what)}</p>"]
    if stop.frames:
        frame = stop.frames[0]
        lines = lines_of(frame.file)
        text.append(_place(frame))
        text += source_text(lines, frame.line)
        page.append(f"<p><code>{html.escape(_place(frame))}</code></p>")
        page.append(source_html(lines, frame.line))
    if len(stop.frames) > 1:
        rows = [f"{number}  {_place(one)}" for number, one in enumerate(stop.frames)]
        text += ["stack:", *(f"  {row}" for row in rows)]
        body = html.escape("\n".join(rows))
        page.append(f"<details><summary>stack</summary><pre>{body}</pre></details>")
    show("\n".join(text), "".join(page))


def _place(frame: Frame) -> str:
    return f"{frame.cell or frame.file}:{frame.line} in {frame.function}"


def _range(lines: list[str], line: int) -> range:
    return range(max(1, line - AROUND), min(len(lines), line + AROUND) + 1)


def source_text(lines: list[str], line: int) -> list[str]:
    """The lines around one, which is marked."""
    return [
        f"{'->' if number == line else '  '} {number:4}  {lines[number - 1].rstrip()}"
        for number in _range(lines, line)
    ]


def source_html(lines: list[str], line: int) -> str:
    """The same in colour."""
    shown = [html.escape(one.rstrip("\r\n")) for one in lines]
    if 0 < len(lines) <= _MOST:
        # Here, because kernels that never debug would wait for them when they start.
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        lexer = PythonLexer(stripnl=False, ensurenl=False)
        formatter = HtmlFormatter(nowrap=True, noclasses=True)
        coloured = str(highlight("".join(lines), lexer, formatter)).split("\n")
        if len(coloured) >= len(lines):
            shown = coloured
    rows = []
    for number in _range(lines, line):
        row = f"{'→' if number == line else ' '} {number:4}  {shown[number - 1]}"
        rows.append(f'<span style="{_HERE}">{row}</span>' if number == line else row)
    return f'<pre style="{_BOX}">{chr(10).join(rows)}</pre>'


def show_texts(head: str, texts: dict[str, str]) -> None:
    """A sentence, and texts to copy, by title."""
    text = [head]
    page = [f"<p>{html.escape(head)}</p>"]
    for number, (title, body) in enumerate(texts.items()):
        text += ["", f"{title}:", body]
        opened = "" if number else " open"
        page.append(
            f"<details{opened}><summary>{html.escape(title)}</summary>"
            f"<pre>{html.escape(body)}</pre></details>"
        )
    show("\n".join(text), "".join(page))
