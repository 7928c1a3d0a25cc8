"""All changes or none; taken back last first, by identity; slots deleted or restored."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import pytest
import wrapt

from ipyext_patches import Patch, PatchConflictError, UnsupportedTargetError
from ipyext_patches.ledger import (
    MISSING,
    Action,
    Change,
    Ledger,
    SetAttribute,
    SetItem,
    Wrap,
    place,
)
from ipyext_patches.spec import function


def patch(name: str = "test", *parameters: str) -> Patch:
    shape = function(*parameters) if parameters else Patch.__dataclass_fields__["shape"].default
    return Patch(name, f"target of {name}", "what", "why", "upstream", shape=shape)


class Base:
    def inherited(self, text: str) -> str:
        return f"base {text}"

    def method(self, text: str) -> str:
        return f"base method {text}"


class Target(Base):
    attribute = "class"

    def method(self, text: str) -> str:
        return f"method {text}"

    @property
    def trait(self) -> str:
        return "property"

    @classmethod
    def made(cls, text: str) -> str:
        return f"{cls.__name__} {text}"

    @staticmethod
    def static(text: str) -> str:
        return f"static {text}"


@pytest.fixture
def target() -> type[Target]:
    """A class of its own for every test."""
    return type("Target", (Target,), dict(vars(Target)))


@dataclass
class Recorder(Change):
    """A change that tells what happens to it."""

    name: str = ""
    events: Any = None
    fails: str = ""

    def verify(self) -> None:
        self._do("verify")

    def apply(self) -> None:
        self._do("apply")

    def revert(self) -> bool:
        self._do("revert")
        return self.fails != "left"

    def _do(self, step: str) -> None:
        self.events.append((step, self.name))
        if self.fails == step:
            raise RuntimeError(f"{self.name} {step}")


def recorders(events: list[Any], **fails: str) -> list[Change]:
    return [Recorder(patch(name), name, events, fails.get(name, "")) for name in "abc"]


def test_verifies_all_then_applies_in_order_then_reverts_last_first() -> None:
    events: list[Any] = []
    ledger = Ledger()
    assert not ledger.switch.on
    ledger.apply(recorders(events))
    assert ledger.switch.on
    ledger.revert()
    assert not ledger.switch.on
    assert events == [
        *(("verify", name) for name in "abc"),
        *(("apply", name) for name in "abc"),
        *(("revert", name) for name in "cba"),
    ]
    assert ledger.report() == []


@pytest.mark.parametrize("name", "abc")
def test_nothing_is_applied_where_one_does_not_verify(name: str) -> None:
    events: list[Any] = []
    ledger = Ledger()
    with pytest.raises(RuntimeError, match="verify"):
        ledger.apply(recorders(events, **{name: "verify"}))
    assert {step for step, _ in events} == {"verify"}
    assert not ledger.switch.on
    assert ledger.report() == []


@pytest.mark.parametrize("name", "abc")
def test_what_was_applied_is_taken_back_where_one_fails(name: str) -> None:
    events: list[Any] = []
    ledger = Ledger()
    with pytest.raises(PatchConflictError) as caught:
        ledger.apply(recorders(events, **{name: "apply"}))
    assert caught.value.patch_id == name
    assert f"RuntimeError: {name} apply" in str(caught.value)
    done = "abc"[: "abc".index(name)]
    assert [n for step, n in events if step == "revert"] == list(reversed(done))
    assert not ledger.switch.on
    assert ledger.report() == []


def test_taking_back_after_a_failure_goes_through_to_the_end() -> None:
    """All or none holds also where one of those before it cannot be taken back."""
    events: list[Any] = []
    with pytest.raises(PatchConflictError):
        Ledger().apply(recorders(events, b="revert", c="apply"))
    assert [n for step, n in events if step == "revert"] == ["b", "a"]


def test_revert_goes_through_to_the_end_and_raises_the_first_error() -> None:
    events: list[Any] = []
    ledger = Ledger()
    ledger.apply(recorders(events, a="revert", c="revert"))
    with pytest.raises(RuntimeError, match="c revert"):
        ledger.revert()
    assert [n for step, n in events if step == "revert"] == ["c", "b", "a"]
    assert not ledger.switch.on


def test_revert_twice_does_nothing() -> None:
    events: list[Any] = []
    ledger = Ledger()
    ledger.apply(recorders(events))
    ledger.revert()
    ledger.revert()
    assert [n for step, n in events if step == "revert"] == ["c", "b", "a"]


def test_what_is_added_later_is_taken_back_as_well() -> None:
    events: list[Any] = []
    ledger = Ledger()
    ledger.apply(recorders([]))
    ledger.add(recorders(events))
    assert [n for step, n in events if step == "apply"] == ["a", "b", "c"]
    ledger.revert()
    assert [n for step, n in events if step == "revert"] == ["c", "b", "a"]


def test_nothing_is_left_of_what_is_added_too_late() -> None:
    """A module was imported while the extension was unloaded in another thread."""
    events: list[Any] = []
    ledger = Ledger()
    ledger.apply(recorders([]))
    ledger.revert()
    ledger.add(recorders(events))
    assert [n for step, n in events if step == "revert"] == ["c", "b", "a"]
    assert not ledger.switch.on
    assert ledger.report() == []


def test_reports_what_is_applied_and_what_was_left_inside() -> None:
    ledger = Ledger()
    ledger.apply(recorders([], b="left"))
    assert [(r.patch.id, r.state) for r in ledger.report()] == [
        ("a", "applied"),
        ("b", "applied"),
        ("c", "applied"),
    ]
    ledger.revert()
    assert [(r.patch.id, r.state) for r in ledger.report()] == [("b", "left inside")]


# -- attributes --------------------------------------------------------------------------------


def test_a_slot_of_the_class_is_restored_by_identity(target: Any) -> None:
    former = vars(target)["method"]
    change = SetAttribute(patch(), target, "method", lambda self, text: "ours")
    change.verify()
    change.apply()
    assert target().method("x") == "ours"
    assert change.revert() is True
    assert vars(target)["method"] is former


@pytest.mark.parametrize("owner", ["class", "instance"])
def test_a_slot_that_we_made_is_deleted(target: Any, owner: str) -> None:
    """Inherited before: writing the original back would leave an own attribute behind."""
    thing = target if owner == "class" else target()
    change = SetAttribute(patch(), thing, "inherited", lambda *args: "ours")
    change.verify()
    change.apply()
    assert thing.inherited("x") == "ours"
    assert change.revert() is True
    assert "inherited" not in vars(thing)
    assert target().inherited("x") == "base x"


def test_a_property_is_restored_and_none_is_a_value(target: Any) -> None:
    former = vars(target)["trait"]
    target.nothing = None
    changes = [
        SetAttribute(patch(), target, "trait", property(lambda self: "ours")),
        SetAttribute(patch(), target, "nothing", "ours"),
    ]
    for change in changes:
        change.apply()
    assert (target().trait, target.nothing) == ("ours", "ours")
    for change in changes:
        assert change.revert()
    assert vars(target)["trait"] is former
    assert vars(target)["nothing"] is None


def test_an_attribute_that_somebody_replaced_is_left_to_them(target: Any) -> None:
    change = SetAttribute(patch(), target, "attribute", "ours")
    change.apply()
    target.attribute = "theirs"
    assert change.revert() is False
    assert target.attribute == "theirs"


def test_an_equal_value_of_somebody_else_is_not_ours(target: Any) -> None:
    ours, theirs = [1], [1]
    change = SetAttribute(patch(), target, "attribute", ours)
    change.apply()
    target.attribute = theirs
    assert change.revert() is False
    assert target.attribute is theirs


def test_a_missing_attribute_is_refused(target: Any) -> None:
    with pytest.raises(UnsupportedTargetError, match="nothing was changed") as caught:
        SetAttribute(patch("gone"), target, "renamed", 1).verify()
    assert caught.value.found == "missing"
    assert "'gone'" in caught.value.target


def test_verify_runs_no_code_of_the_target(target: Any) -> None:
    def explode(self: Any) -> Any:
        raise AssertionError("a property was read")

    target.trait = property(explode)
    SetAttribute(patch(), target(), "trait", 1).verify()


# -- items -------------------------------------------------------------------------------------


def test_an_item_is_restored_or_removed() -> None:
    former = object()
    table: dict[str, Any] = {"there": former, "none": None}
    changes = [SetItem(patch(), table, key, object()) for key in ("there", "none", "new")]
    for change in changes:
        change.verify()
        change.apply()
    assert set(table) == {"there", "none", "new"}
    for change in reversed(changes):
        assert change.revert() is True
    assert table == {"there": former, "none": None}
    assert table["there"] is former


@pytest.mark.parametrize("then", ["replaced", "deleted"])
def test_an_item_that_somebody_changed_is_left_to_them(then: str) -> None:
    table: dict[str, Any] = {"key": "stock"}
    change = SetItem(patch(), table, "key", "ours")
    change.apply()
    if then == "replaced":
        table["key"] = "theirs"
    else:
        del table["key"]
    expected = dict(table)
    assert change.revert() is False
    assert table == expected


def test_two_changes_of_one_slot_unwind(target: Any) -> None:
    former = vars(target)["method"]
    ledger = Ledger()
    ledger.apply([SetAttribute(patch(str(n)), target, "method", n) for n in range(3)])
    assert target.method == 2
    ledger.revert()
    assert vars(target)["method"] is former


# -- wrappers ----------------------------------------------------------------------------------


def tagged(tag: str) -> Any:
    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return f"{tag}({wrapped(*args, **kwargs)})"

    return wrapper


def wrapped(ledger: Ledger, owner: Any, name: str) -> None:
    ledger.apply([Wrap(patch(), owner, name, tagged("ours"), ledger.switch)])


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("method", "method x"),
        ("inherited", "base x"),
        ("made", "Target x"),
        ("static", "static x"),
    ],
)
def test_a_wrapper_comes_off_by_identity(target: Any, name: str, result: str) -> None:
    former = vars(target).get(name, MISSING)
    ledger = Ledger()
    wrapped(ledger, target, name)
    assert getattr(target(), name)("x") == f"ours({result})"
    ledger.revert()
    assert getattr(target(), name)("x") == result
    assert vars(target).get(name, MISSING) is former


def test_a_wrapper_comes_off_from_under_another_of_wrapt(target: Any) -> None:
    former = vars(target)["method"]
    ledger = Ledger()
    wrapped(ledger, target, "method")
    theirs = wrapt.wrap_object(target, "method", wrapt.FunctionWrapper, (tagged("theirs"),))
    assert target().method("x") == "theirs(ours(method x))"
    ledger.revert()
    assert target().method("x") == "theirs(method x)"
    assert ledger.report() == []
    wrapt.unwrap_object(target, "method", theirs)
    assert vars(target)["method"] is former


def test_a_wrapper_is_left_inside_a_plain_function_and_switched_off(target: Any) -> None:
    ledger = Ledger()
    wrapped(ledger, target, "method")
    inner = target.method

    @functools.wraps(inner)
    def theirs(self: Any, text: str) -> str:
        return f"theirs({inner(self, text)})"

    target.method = theirs
    assert target().method("x") == "theirs(ours(method x))"
    ledger.revert()
    assert target().method("x") == "theirs(method x)"
    assert [r.state for r in ledger.report()] == ["left inside"]


def test_a_reference_that_escaped_is_switched_off(target: Any) -> None:
    """ipykernel keeps bound handlers in tables."""
    ledger = Ledger()
    wrapped(ledger, target, "method")
    bound = target().method
    assert bound("x") == "ours(method x)"
    ledger.revert()
    assert bound("x") == "method x"


def test_a_wrapper_does_not_act_before_all_changes_are_in(target: Any) -> None:
    ledger = Ledger()
    seen = []
    ledger.apply(
        [
            Wrap(patch(), target, "method", tagged("ours"), ledger.switch),
            Action(patch(), lambda: seen.append(target().method("x")), lambda: None),
        ]
    )
    assert seen == ["method x"]
    assert target().method("x") == "ours(method x)"


def test_a_wrapper_of_the_wrong_shape_is_refused(target: Any) -> None:
    ledger = Ledger()
    change = Wrap(patch("p", "string"), target, "method", tagged("ours"), ledger.switch)
    with pytest.raises(
        UnsupportedTargetError, match=r"a function of \(text\), .* a function of \(string, "
    ):
        ledger.apply([change])
    assert target().method("x") == "method x"


def test_actions_do_and_undo() -> None:
    events: list[str] = []
    ledger = Ledger()
    ledger.apply([Action(patch(), lambda: events.append("do"), lambda: events.append("undo"))])
    ledger.revert()
    assert events == ["do", "undo"]


def test_places(target: Any) -> None:
    ledger = Ledger()
    assert place(SetItem(patch(), {}, "key", 1)) == "['key']"
    assert place(SetAttribute(patch(), target, "method", 1)) == "Target.method"
    assert place(SetAttribute(patch(), target(), "method", 1)) == "<Target>.method"
    assert place(SetAttribute(patch(), wrapt, "x", 1)) == "wrapt.x"
    assert place(Wrap(patch(), target, "method", tagged(""), ledger.switch)) == "Target.method"
    assert place(Action(patch(), lambda: None, lambda: None)) == "action"
