"""Writes the parts of pages that the code knows best, between their marks.

python docs/generated.py            write them
python docs/generated.py --check    exit status 1 if a page is out of date
"""

from __future__ import annotations

import inspect
import re
import runpy
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from traitlets import Dict, Float, Integer

from ipyext.cli import parser
from ipyext.config import POLICIES, IPyExt
from ipyext.magics.actions import Action, Declared
from ipyext.magics.arguments import CELL, CELL_USAGE, SUBSHELL
from ipyext.magics.debugctl_arguments import DEBUGCTL
from ipyext.shells.control import ControlHandlers
from ipyext_patches import CHECKED, DEBUGPY, PYTHON

ROOT = Path(__file__).parent.parent
_KINDS = {Float: "a number", Integer: "a whole number"}


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table(*head: str) -> Iterator[str]:
    yield row(*head)
    yield row(*("---" for _ in head))


def settings() -> Iterator[str]:
    """Every configurable trait, as `%config IPyExt` has it."""
    yield from table("Setting", "Default", "Values", "")
    for name, trait in IPyExt.class_own_traits(config=True).items():
        yield row(f"`{name}`", f"`{trait.default()!r}`", values(trait), trait.help)


def values(trait: Any) -> str:
    """What a trait may be set to."""
    listed = ", ".join(f"`{value!r}`" for value in getattr(trait, "values", ()))
    if listed:
        return listed
    least = getattr(trait, "min", None)
    if least is not None:
        return f"{_KINDS[type(trait)]}, {least:g} or more"
    if isinstance(trait, Dict):
        return "a dict with values " + ", ".join(f"`{value!r}`" for value in POLICIES)
    return " or ".join(f"`{value}`" for value in (True, False))


def described(usage: str, action: Action) -> Iterator[str]:
    """An entry of a definition list."""
    options = [
        f"`{name}`: {text[0].lower()}{text[1:]}"
        for name, text in action.arguments()
        if name.startswith("--") and f"`{name}`" not in action.sentences
    ]
    yield f"`{usage}`"
    yield ": " + " ".join([action.sentences, *options])
    if action.example:
        yield ""
        yield from textwrap.indent(f"```text\n{action.example}\n```", "  ").splitlines()
    yield ""


def actions(magic: Declared) -> Iterator[str]:
    yield f"`{magic.name}`"
    yield f": The same as `{magic.usage(magic.default)}`."
    yield ""
    for name, action in magic.actions.items():
        yield from described(magic.usage(name), action)


def subshell() -> Iterator[str]:
    yield from actions(SUBSHELL)
    yield from described(CELL_USAGE, CELL)


def debugctl() -> Iterator[str]:
    yield from actions(DEBUGCTL)


def commands() -> Iterator[str]:
    """The options of the command line. Their order is that of ``--help``."""
    # argparse has no public list of options.
    actions = parser()._actions  # noqa: SLF001
    (found,) = [action for action in actions if isinstance(action.choices, dict)]
    assert isinstance(found.choices, dict)
    for name, command in found.choices.items():
        yield f"**`ipyext {name}`**"
        yield ""
        yield from table("Option", "")
        for action in command._actions:  # noqa: SLF001
            if action.dest != "help":
                option = " ".join(filter(None, [action.option_strings[0], action.metavar]))
                text = (action.help or "") % vars(action)
                yield row(f"`{option}`", text)
        yield ""


SECTION = re.compile(r"^(Content|Reply):\n((?:[ ]{4}.*\n?)+)", re.M)
FIELD = re.compile(r"^[ ]{4}(\w+)( \(ours\))?: (.*(?:\n[ ]{8}.*)*)", re.M)


class Field(NamedTuple):
    """A field of a message; `ours` marks an addition to the protocol."""

    name: str
    ours: bool
    what: str


def described_message(handler: object) -> tuple[str, list[Field], list[Field]]:
    """What a handler's docstring says: what it does, the fields of the content, of the reply."""
    text = inspect.getdoc(handler) or ""
    sections = dict(SECTION.findall(text))
    content, reply = (
        [
            Field(name, bool(ours), " ".join(what.split()).rstrip("."))
            for name, ours, what in FIELD.findall(sections.get(section, ""))
        ]
        for section in ("Content", "Reply")
    )
    return " ".join(SECTION.sub("", text).split()), content, reply


def control_messages() -> Iterator[tuple[str, tuple[str, list[Field], list[Field]]]]:
    for name, handler in vars(ControlHandlers).items():
        if name.endswith("_request"):
            yield name, described_message(handler)


def control() -> Iterator[str]:
    """What the control channel handles, from the docstrings of the handlers."""

    def cell(fields: list[Field]) -> str:
        return "; ".join(
            f"*`{name}`*: {what}" if ours else f"`{name}`: {what}" for name, ours, what in fields
        )

    yield from table("Request", "", "Content", "Reply")
    for name, (about, content, reply) in control_messages():
        yield row(f"`{name}`", about, cell(content), cell(reply))


def ranges() -> Iterator[str]:
    """What `ipyext_patches.versions` accepts."""
    yield from table("", "Versions")
    for checked in (PYTHON, *CHECKED, DEBUGPY):
        yield row(checked.distribution, " or ".join(f"`{v}`" for v in checked.versions.split("|")))


def lanes() -> Iterator[str]:
    """The lanes of `.ci/run`."""
    yield from table("Lane", "Python", "Pinned")
    text = (ROOT / ".ci" / "run").read_text()
    found = re.search(r"<<'LANES'\n(.*?)\nLANES\n", text, re.S)
    assert found is not None
    for line in found[1].splitlines():
        name, _, python, pins = re.split(r" +", line, maxsplit=3)
        yield row(name, python, ", ".join(f"`{pin}`" for pin in pins.split()))


def others() -> Iterator[str]:
    """What `tests/fronts` runs, and beside which ipykernel."""
    needs = runpy.run_path(str(ROOT / "tests" / "fronts" / "needs.py"))
    yield from table("Distribution", "Beside ipykernel", "")
    for name, versions in sorted(needs["NEEDS"].items(), key=lambda item: item[0].lower()):
        if name not in needs["TOOLS"]:
            yield row(
                name, f"`{versions}`" if versions else "every lane", needs["WHY"].get(name, "")
            )


PAGES: dict[str, dict[str, Callable[[], Iterator[str]]]] = {
    "reference.md": {
        "settings": settings,
        "subshell": subshell,
        "debugctl": debugctl,
        "control": control,
        "commands": commands,
    },
    "compatibility.md": {"ranges": ranges, "lanes": lanes, "others": others},
}


def written(page: str, name: str, lines: Iterator[str]) -> str:
    """The page with its part of that name as `lines` have it."""
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- /generated: {name} -->\n"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        sys.exit(f"A page has no place for {name}: {begin}{end}")
    text = "\n".join(lines).rstrip("\n")
    return f"{before}{begin}\n{text}\n\n{end}{after}"


def main() -> None:
    for name, parts in PAGES.items():
        path = Path(__file__).parent / name
        page = wanted = path.read_text()
        for part, lines in parts.items():
            wanted = written(wanted, part, lines())
        if "--check" not in sys.argv[1:]:
            path.write_text(wanted)
        elif wanted != page:
            sys.exit(f"docs/{name} is out of date: run python docs/generated.py")


if __name__ == "__main__":
    main()
