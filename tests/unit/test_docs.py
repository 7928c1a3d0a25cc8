"""The reference names everything that there is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import ipyext
from ipyext.cli import parser
from ipyext.config import IPyExt
from ipyext.magics.arguments import ACTIONS
from ipyext.magics.debugctl_arguments import ACTIONS as DEBUG_ACTIONS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent.parent
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()


@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "list"])
def test_actions_of_the_magic(action: str) -> None:
    assert f"`%subshell {action}" in REFERENCE


@pytest.mark.parametrize("action", [action for action in DEBUG_ACTIONS if action != "status"])
def test_actions_of_debugctl(action: str) -> None:
    assert re.search(rf"`(%debugctl )?{action}\b", REFERENCE)


@pytest.mark.parametrize("setting", IPyExt.class_own_traits(config=True))
def test_settings(setting: str) -> None:
    assert f"| `{setting}` |" in REFERENCE


def test_commands_and_their_options() -> None:
    (commands,) = [action for action in parser()._actions if isinstance(action.choices, dict)]
    for name, command in commands.choices.items():
        assert f"`ipyext {name}`" in REFERENCE
        for action in command._actions:
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert f"`{option}" in REFERENCE, option


def test_every_refusal_of_the_kernel() -> None:
    source = "".join(path.read_text() for path in (ROOT / "ipyext" / "shells").glob("*.py"))
    for ename in re.findall(r'"(\w+Error)"', source):
        assert f"| `{ename}` |" in REFERENCE


def test_links_between_pages_of_the_repository() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("*/*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_public_names_exist() -> None:
    for name in ipyext.__all__:
        assert callable(getattr(ipyext, name)), name


def test_the_layers_are_those_that_are_checked() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [rule["layers"] for rule in rules["contracts"] if rule["id"] == "layers"]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", ARCHITECTURE, re.M)
    assert [set(re.findall(r"\w+", row)) for row in rows] == [
        set(re.findall(r"\w+", layer)) for layer in layers
    ]
