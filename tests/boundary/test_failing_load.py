"""A load that fails half way leaves a stock kernel behind, and a later load works."""

from __future__ import annotations

import pytest

from tests.boundary.stock import Kernel
from tests.conftest import LANE
from tests.wire import Answer

# Inside the kernel: count the changes of a load, and have one of them fail.
TRAP = """
import ipyext_patches.ledger as ledger
trap = {"at": None, "seen": 0, "late": False}

def spring(cls):
    stock = cls.apply
    def apply(self):
        trap["seen"] += 1
        if trap["seen"] == trap["at"]:
            raise RuntimeError(f"trap {trap['at']}: {self.patch.id}")
        stock(self)
    cls.apply = apply

for cls in (ledger.SetAttribute, ledger.SetItem, ledger.Wrap, ledger.Action):
    spring(cls)
"""


def assert_usage_error(answer: Answer, *parts: str) -> str:
    """The message is one line on stderr; there is no traceback anywhere."""
    assert answer.status == "error"
    assert answer.content["ename"] == "UsageError"
    assert answer.of("error") == []
    text = answer.text("stderr")
    assert text.startswith("UsageError: ")
    assert text.count("\n") == 1, text
    for part in parts:
        assert part in text
    return text


def load_fails(kernel: Kernel, *parts: str) -> str:
    answer = kernel.wire.execute("%load_ext ipyext", stop_on_error=False)
    kernel.displace_the_last_error()
    return assert_usage_error(answer, "ipyext was not loaded", *parts)


def works_loaded(kernel: Kernel) -> None:
    kernel.load()
    child = kernel.wire.create()
    assert kernel.run("print('child')", subshell=child) == "child\n"
    kernel.unload()


@pytest.mark.timeout(300)
def test_every_change_may_fail(probed: Kernel) -> None:
    probed.run(TRAP)
    works_loaded(probed)
    total = probed.ask("trap['seen']")
    assert total > 20
    for number in range(1, total + 1):
        probed.run(f"trap.update(at={number}, seen=0)")
        load_fails(probed, "every change was taken back", f"trap {number}")
        assert probed.ask("trap['seen']") == number
        assert probed.run("print('still here')") == "still here\n"
        probed.take("after failure")
        for moment in ("in a cell", "between cells"):
            found = probed.ask(f"probe.differences('stock ({moment})', 'after failure ({moment})')")
            assert not found, f"change {number}:\n" + "\n".join(found)
            probed.run(f"probe.forget('after failure ({moment})')")
    probed.run("trap.update(at=None)")
    works_loaded(probed)
    probed.assert_stock()


# Changes that have several steps of their own: what a step did must be undone as well.
STEPS = [
    "channels.Channels._take_control"
    if LANE > 5
    else "ipykernel_5.Ipykernel5Channels._take_control",
    "channels.Channels._take_stdin",
]


@pytest.mark.parametrize("step", STEPS)
def test_taking_the_channels_fails_half_way(probed: Kernel, step: str) -> None:
    module, owner, name = step.split(".")
    probed.run(
        f"import ipyext_patches.targets.{module} as target\n"
        f"owner = target.{owner}; stock = owner.{name}\n"
        "def fail(*args): raise RuntimeError('no sockets left')\n"
        f"owner.{name} = fail"
    )
    load_fails(probed, "no sockets left")
    assert probed.run("print('still here')") == "still here\n"
    assert probed.wire.control("kernel_info_request")["status"] == "ok"
    probed.run(f"owner.{name} = stock")
    probed.assert_stock()
    works_loaded(probed)
    probed.assert_stock()


def test_interrupt_while_loading(probed: Kernel) -> None:
    """KeyboardInterrupt is not an Exception; the changes are taken back all the same."""
    probed.run(
        "import ipyext_patches.ledger as ledger\n"
        "stock = ledger.SetItem.apply\n"
        "def fail(self): raise KeyboardInterrupt\n"
        "ledger.SetItem.apply = fail"
    )
    answer = probed.wire.execute("%load_ext ipyext", stop_on_error=False)
    assert answer.status == "error"
    probed.displace_the_last_error()
    probed.run("ledger.SetItem.apply = stock")
    probed.assert_stock()
    works_loaded(probed)


def test_a_failed_load_does_not_count_as_loaded(probed: Kernel) -> None:
    probed.run(TRAP + "trap['at'] = 5")
    load_fails(probed)
    assert "not loaded" in probed.wire.execute("%unload_ext ipyext").text()
    answer = probed.wire.execute("import ipyext; ipyext.subshells()", stop_on_error=False)
    assert answer.content["ename"] == "NotLoadedError"
    probed.run("trap['seen'] = 0")
    load_fails(probed)  # not "already loaded"


def test_unload_goes_through_to_the_end_when_one_step_fails(loaded: Kernel) -> None:
    """One change that cannot be taken back must not keep the others in the kernel."""
    loaded.run(
        "import ipyext_patches.ledger as ledger\n"
        "stock = ledger.SetItem.revert\n"
        "def fail(self):\n"
        "    if self.key == '%subshell': raise RuntimeError('stuck')\n"
        "    return stock(self)\n"
        "ledger.SetItem.revert = fail"
    )
    loaded.wire.execute("%unload_ext ipyext", stop_on_error=False)
    loaded.run("ledger.SetItem.revert = stock")
    left = {line.split(":")[0] for line in loaded.differences()} - {"extensions"}
    assert left == {"completers['%subshell']"}
