"""What the magics say of themselves, and what completion offers on their lines."""

from __future__ import annotations

import pytest

from tests.wire import Answer, Wire

LOOP = "while not go.is_set(): pass"
HELP = {
    "%subshell": ["%subshell delete NAME", "--detach"],
    "%subshell delete": ["%subshell delete NAME", "--all  "],
    "%%subshell": ["%%subshell [NAME]", "--detach  "],
    "%debugctl": ["%debugctl break PLACE", "%debugctl ACTION --help"],
    "%debugctl break": ["%debugctl break PLACE", "hits N  "],
}


def beside(kernel: Wire, child: str, busy: bool, code: str) -> Answer:
    """The answer of that cell, while main is busy if so."""
    running = kernel.begin(LOOP) if busy else None
    answer = kernel.execute(code)
    if running is not None:
        kernel.execute("go.set()", subshell=child)
        kernel.wait(running)
    return answer


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("magic", ["%subshell", "%%subshell", "%debugctl"])
@pytest.mark.parametrize("code", ["{}?", "?{}"])
def test_help(kernel: Wire, child: str, magic: str, code: str, busy: bool) -> None:
    answer = beside(kernel, child, busy, code.format(magic))
    assert answer.status == "ok"
    (payload,) = answer.content["payload"]
    for part in HELP[magic]:
        assert part in payload["data"]["text/plain"]


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("%subshell --help", "%subshell"),
        ("%subshell -h", "%subshell"),
        ("%subshell help", "%subshell"),
        ("%subshell delete --help", "%subshell delete"),
        ("%subshell help delete", "%subshell delete"),
        ("%%subshell --help\n1", "%%subshell"),
        ("%debugctl help", "%debugctl"),
        ("%debugctl break --help", "%debugctl break"),
        ("%debugctl help break", "%debugctl break"),
    ],
)
def test_help_as_an_option(kernel: Wire, child: str, code: str, about: str, busy: bool) -> None:
    text = beside(kernel, child, busy, code).text()
    for part in HELP[about]:
        assert part in text
    assert kernel.shells() == [child]


def test_comments_beside_the_magics(kernel: Wire, child: str) -> None:
    running = kernel.begin(LOOP)
    cell = "# first\n\n%subshell list  # what runs?\n\n  # and then\n%subshell info main # it\n"
    assert len(kernel.execute(cell).of("display_data")) == 2
    assert kernel.execute("%%subshell work  # a name\n'in it'").result == "'in it'"
    kernel.execute("go.set()", subshell=child)
    kernel.wait(running)
    assert kernel.execute("%subshell create other # not five words").status == "ok"
    assert len(kernel.shells()) == 3


def complete(kernel: Wire, code: str) -> list[str]:
    answer = kernel.request("complete_request", {"code": code, "cursor_pos": len(code)})
    return list(answer.content["matches"])


ACTIONS = {"create", "list", "delete", "rename", "interrupt", "info", "jobs", "patches"}


def test_completion_of_actions(kernel: Wire) -> None:
    assert set(complete(kernel, "%subshell ")) >= ACTIONS
    assert complete(kernel, "%subshell int") == ["interrupt"]
    assert "delete" in complete(kernel, "x = 1\n%subshell de")


@pytest.mark.parametrize("action", ["delete", "rename", "interrupt", "info"])
def test_completion_of_names(kernel: Wire, action: str) -> None:
    kernel.create("alpha")
    kernel.create("beta")
    assert set(complete(kernel, f"%subshell {action} ")) >= {"alpha", "beta"}
    assert complete(kernel, f"%subshell {action} al") == ["alpha"]


def test_completion_on_the_cell_magic(kernel: Wire) -> None:
    kernel.create("alpha")
    assert {"alpha", "--detach", "--job"} <= set(complete(kernel, "%%subshell "))
    assert complete(kernel, "%%subshell al") == ["alpha"]


@pytest.mark.parametrize(
    "code",
    ["%subshell delete x", "%subshell list ", "%subshell create n", "%%subshell x", "%subshell x"],
)
def test_completion_offers_nothing_where_nothing_fits(kernel: Wire, code: str) -> None:
    kernel.execute("xylophone = names = 1")
    kernel.create("alpha")
    assert complete(kernel, code) == []


def test_completion_offers_names_and_nothing_else(kernel: Wire) -> None:
    kernel.create("alpha")
    assert complete(kernel, "%subshell info ") == ["alpha"]
    assert complete(kernel, "%subshell info alpha") == ["alpha"]
    assert "%subshell" in complete(kernel, "%subsh")
    assert "%%subshell" in complete(kernel, "%%subsh")


def test_completion_inside_the_cell_is_pythons(kernel: Wire) -> None:
    kernel.execute("wonderful = 1")
    assert complete(kernel, "%%subshell alpha\nwonderf") == ["wonderful"]


def test_completion_while_main_is_busy(kernel: Wire, child: str) -> None:
    kernel.create("alpha")
    running = kernel.begin(LOOP)
    assert complete(kernel, "%subshell delete al") == ["alpha"]
    assert "go" in complete(kernel, "go")
    kernel.execute("go.set()", subshell=child)
    kernel.wait(running)
