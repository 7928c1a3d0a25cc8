"""Sphinx: sphinx-build -W docs docs/_build/html"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from ipyext import __version__

sys.path.insert(0, str(Path(__file__).parent))
import states

project = "ipyext"
author = "The ipyext developers"
copyright = "The ipyext developers"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
nitpicky = True
# The standard library's, which would need the network; and type variables, which have no page.
nitpick_ignore_regex = [("py:class", r"collections\.abc\.\w+|ipyext\.api\.T")]
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
# A fence with the language `mermaid`, which GitHub draws by itself, is the directive below.
myst_fence_as_directive = ["mermaid"]


class Drawing(Directive):
    """A state diagram in Mermaid, drawn."""

    has_content = True

    def run(self) -> list[Any]:
        """The drawing; an error if a state has no place in it."""
        return [nodes.raw("", states.svg("\n".join(self.content)), format="html")]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_directive("mermaid", Drawing)
