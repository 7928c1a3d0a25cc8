"""Draws the state machines of the debugger from their tables in `ipyext.debug.states`.

python docs/states.py            write them into docs/architecture.md, as Mermaid
python docs/states.py --check    exit status 1 if they are out of date

GitHub draws Mermaid by itself. For Sphinx, `svg` draws it, see `conf.py`; it needs no JavaScript.
"""

from __future__ import annotations

import html
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ipyext.debug.states import CLIENT, DEBUGGER, Client, Debugger, mermaid

PAGE = Path(__file__).parent / "architecture.md"
MACHINES: dict[str, str] = {
    "debugger": mermaid(DEBUGGER, Debugger.OFF),
    "client": mermaid(CLIENT, Client.NEW),
}

# Where a state is drawn: column and row. A state that is missing here ends the build.
PLACES = {
    "OFF": (0, 1),
    "STARTING": (1, 0),
    "CONFIGURING": (2, 0),
    "ON": (3, 1),
    "STOPPING": (2.2, 2),
    "STOPPING_TO_START": (0.6, 2),
    "NEW": (0, 1),
    "INITIALIZED": (1, 0),
    "ATTACHING": (2, 0),
    "ATTACHED": (3, 1),
    "GONE": (3, 2),
    "any state but GONE": (0, 2),
    "any state": (1.9, 2),
}
_COLUMN, _ROW, _HIGH, _MARGIN = 250, 120, 34, 20
_STYLE = "width:100%;height:auto;font:13px sans-serif;stroke:currentColor;fill:none"
_TIP = """<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
orient="auto"><path d="M0,0L8,4L0,8z" fill="currentColor" stroke="none"/></marker>"""

Edges = dict[tuple[str, str], list[str]]


def edges(text: str) -> Edges:
    """The arrows of a Mermaid state diagram: their labels by where they lead from and to."""
    found = re.findall(r"^ +(\w+) --> (\w+): (.+)$", text, re.M)
    states = list(dict.fromkeys(name for source, target, _ in found for name in (source, target)))
    sources = defaultdict(list)
    for source, target, label in found:
        sources[target, label].append(source)
    drawn: Edges = defaultdict(list)
    for (target, label), many in sources.items():
        others = [state for state in states if state not in many]
        if len(others) <= 1:  # drawn once
            many = ["any state" + " but " * bool(others) + ", ".join(others)]
        for source in many:
            drawn[source, target].append(label)
    return drawn


def svg(text: str) -> str:
    """The diagram as SVG, in the colours of the page."""
    arrows = edges(text)
    names = dict.fromkeys(name for pair in arrows for name in pair)
    width = max(_center(name)[0] + _width(name) / 2 for name in names) + _MARGIN
    height = max(_center(name)[1] for name in names) + _HIGH / 2 + _MARGIN
    found = [
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" style="{_STYLE}">',
        f"<desc>{html.escape(text)}</desc>",
        _TIP,
    ]
    labels = []
    for (source, target), texts in arrows.items():
        path, at = _arrow(source, target, (target, source) in arrows)
        found.append(f'<path d="{path}" marker-end="url(#tip)" opacity="0.65"/>')
        for number, label in enumerate(texts):
            y = at[1] + 4 + 15 * (number - (len(texts) - 1) / 2)
            labels.append(_text(label, at[0], y))
    for name in names:
        x, y = _center(name)
        if name.startswith("any"):
            found.append(_text(name, x, y + 4, "font-style:italic"))
            continue
        found.append(
            f'<rect x="{x - _width(name) / 2:.0f}" y="{y - _HIGH / 2:.0f}" rx="8" '
            f'width="{_width(name):.0f}" height="{_HIGH}"/>'
        )
        found.append(_text(name, x, y + 4, "font-weight:bold"))
    return "\n".join([*found, *labels, "</svg>"])


def _center(name: str) -> tuple[float, float]:
    column, row = PLACES[name]
    return _MARGIN + 75 + column * _COLUMN, _MARGIN + 35 + row * _ROW


def _width(name: str) -> float:
    return max(80, 9 * len(name) + 16)


def _text(text: str, x: float, y: float, style: str = "") -> str:
    halo = "paint-order:stroke;stroke:var(--color-background-primary,white);stroke-width:5px"
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" fill="currentColor" '
        f'style="{halo};{style}">{html.escape(text)}</text>'
    )


def _arrow(source: str, target: str, both: bool) -> tuple[str, tuple[float, float]]:
    """The path of an arrow, and where its label is."""
    (x, y), (to_x, to_y) = _center(source), _center(target)
    if source == target:
        top = y - _HIGH / 2
        return f"M{x - 18},{top} C{x - 34},{top - 36} {x + 34},{top - 36} {x + 18},{top}", (
            x,
            top - 32,
        )
    length = math.dist((x, y), (to_x, to_y))
    bend = 28 if both else 0  # to its own right, so that there and back are apart
    over = (x + to_x) / 2 - (to_y - y) / length * bend, (y + to_y) / 2 + (to_x - x) / length * bend
    start, end = _edge(source, over), _edge(target, over)
    at = (start[0] + 2 * over[0] + end[0]) / 4, (start[1] + 2 * over[1] + end[1]) / 4
    if y == to_y:
        at = at[0], at[1] - 11  # beside a level line
    path = f"M{start[0]:.0f},{start[1]:.0f} Q{over[0]:.0f},{over[1]:.0f} {end[0]:.0f},{end[1]:.0f}"
    return path, at


def _edge(name: str, towards: tuple[float, float]) -> tuple[float, float]:
    """Where the line from the middle of a state to a point leaves its box."""
    x, y = _center(name)
    across, down = towards[0] - x, towards[1] - y
    part = min(
        (_width(name) / 2 + 3) / abs(across) if across else math.inf,
        (_HIGH / 2 + 3) / abs(down) if down else math.inf,
    )
    return x + across * part, y + down * part


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Every machine: what stands in the page, and what should."""
    for name, text in MACHINES.items():
        begin, end = f"<!-- states: {name} -->\n", f"<!-- /states: {name} -->\n"
        _, _, rest = page.partition(begin)
        old, found, _ = rest.partition(end)
        if not found:
            sys.exit(f"docs/architecture.md has no place for {name}: {begin}{end}")
        yield begin + old + end, f"{begin}```mermaid\n{text}\n```\n{end}"


def main() -> None:
    page = PAGE.read_text()
    wanted = page
    for old, new in blocks(page):
        wanted = wanted.replace(old, new)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted)
    elif wanted != page:
        sys.exit("docs/architecture.md is out of date: run python docs/states.py")


if __name__ == "__main__":
    main()
