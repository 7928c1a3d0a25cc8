"""Sphinx: sphinx-build -W docs docs/_build/html"""

from __future__ import annotations

from ipyext import __version__

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
