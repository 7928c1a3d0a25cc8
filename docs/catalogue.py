"""Writes the catalogue of patches in patches/README.md from the `Patch` records themselves.

python docs/catalogue.py            write it
python docs/catalogue.py --check    exit status 1 if it is out of date
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from ipyext_patches import CHECKED, PYTHON, Patch

PAGE = Path(__file__).parent.parent / "patches" / "README.md"
SOURCE = PAGE.parent / "ipyext_patches"
BEGIN, END = "<!-- catalogue -->\n", "<!-- /catalogue -->\n"


def patches() -> list[Patch]:
    """All patches of this release, sorted by id.

    Read from the source, because a module of `targets` imports only beside the versions it is for.
    """
    found: dict[str, Patch] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Patch":
                values = {k.arg: k.value for k in node.keywords if k.arg != "shape"}
                patch = Patch(**{name: ast.literal_eval(value) for name, value in values.items()})
                if patch.id in found:
                    sys.exit(f"Two patches have the id {patch.id!r}.")
                found[patch.id] = patch
    return [found[patch_id] for patch_id in sorted(found)]


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def lines() -> Iterator[str]:
    yield "## Checked range\n\n"
    yield row("what", "versions")
    yield row("---", "---")
    for checked in (PYTHON, *CHECKED):
        versions = " or ".join(f"`{part}`" for part in checked.versions.split("|"))
        yield row(checked.distribution, versions)
    yield "\n## Patches\n\n"
    yield row("id", "target", "ipykernel", "what", "why", "upstream")
    yield row("---", "---", "---", "---", "---", "---")
    for patch in patches():
        lanes = ", ".join(map(str, patch.lanes))
        target = f"`{patch.target}`"
        yield row(f"`{patch.id}`", target, lanes, patch.what, patch.why, patch.upstream)


def main() -> None:
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = f"{before}{BEGIN}\n{''.join(lines())}\n{END}{after}"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted)
    elif wanted != page:
        sys.exit("patches/README.md is out of date: run python docs/catalogue.py")


if __name__ == "__main__":
    main()
