"""The reference names everything that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ipyext
from ipyext.cli import parser
from ipyext.config import IPyExt
from ipyext.magics.arguments import ACTIONS
from ipyext.magics.debugctl_arguments import ACTIONS as DEBUG_ACTIONS

ROOT = Path(__file__).parent.parent.parent
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
