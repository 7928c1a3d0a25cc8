"""What a cell that loads or unloads the extension shows, for front ends that are connected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import LANE
from tests.wire import Answer, Wire

GAINED = {
    5: {"kernel subshells", "debugger"},
    6: {"kernel subshells"},
    7: set(),
}[LANE]
COMMAND = 'data-commandlinker-command="notebook:reconnect-to-kernel"'


def features(client: Wire) -> set[str]:
    """What a front end can do, as far as it knows: ipykernel 6 says nothing of its debugger."""
    found = set(client.request("kernel_info_request").content.get("supported_features", []))
    return found | {"debugger"} if LANE > 5 else found


def notices(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == "ok"
    return [content["data"] for content in answer.of("display_data")]


def test_what_the_kernel_announces_beyond_the_stock_kernel(stock: Wire) -> None:
    before = features(stock)
    stock.execute("%load_ext ipyext")
    assert features(stock) - before == GAINED
    stock.execute("%unload_ext ipyext")
    assert features(stock) == before


@pytest.mark.parametrize("where", ["main", "child"])
def test_a_cell_that_changes_it_says_so(stock: Wire, where: str) -> None:
    loaded = notices(stock.execute("%load_ext ipyext"))
    cell = "%unload_ext ipyext" if where == "main" else "%%subshell x\n%unload_ext ipyext"
    unloaded = notices(stock.execute(cell))
    if not GAINED:
        assert loaded == unloaded == []
        return
    (first,), (last,) = loaded, unloaded
    assert COMMAND in first["text/html"]
    assert COMMAND in last["text/html"]
    assert "is loaded" in first["text/plain"]
    assert "is unloaded" in last["text/plain"]
    assert "Kernel > Reconnect to Kernel" in first["text/plain"]
    assert ("ipyext install --kernelspec" in first["text/plain"]) == ("debugger" in GAINED)


def test_a_script_in_a_cell_may_load_it_quietly(stock: Wire) -> None:
    quiet = stock.execute("%%capture shown\n%load_ext ipyext")
    assert notices(quiet) == []
    assert len(notices(stock.execute("%unload_ext ipyext"))) == bool(GAINED)
