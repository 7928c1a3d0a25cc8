"""Code of deleted children that runs on after an unload: nothing of it shows anywhere (G2)."""

from __future__ import annotations

import pytest
from packaging.version import Version

from tests.boundary.stock import Kernel
from tests.conftest import IPYKERNEL, LANE

# Neither lets an interrupt end it. What it may not print is told it as ValueError.
STUBBORN = {
    "swallows": """
while not go.is_set():
    try: go.wait(0.01)
    except BaseException: pass
put_out()
""",
    "awaits": """
try: await asyncio.sleep(600)
finally:
    while not go.is_set(): await asyncio.sleep(0.01)
    put_out()
""",
}
SHARED = """
import asyncio, functools, sys, threading, time
go, ended, refused = threading.Event(), threading.Event(), []
def put_out():
    for way in WAYS:
        try: way()
        except ValueError as error: refused.append(str(error))
    ended.set()
"""
STREAMS = (
    "functools.partial(print, 'a deleted one prints', flush=True), "
    "functools.partial(sys.stderr.write, 'a deleted one complains'), "
)
DISPLAYS = "functools.partial(display, 'a deleted one displays'), "
MAIN = """
print('main waits', flush=True)
while 'ipyext' in get_ipython().extension_manager.loaded: time.sleep(0.01)
go.set(); ended.wait(30)
print('main ends')
"""


@pytest.mark.skipif(
    Version("6.29") > IPYKERNEL, reason="one parent for the whole process: see docs/limits.md"
)
@pytest.mark.parametrize("how", list(STUBBORN))
def test_what_a_deleted_child_still_puts_out_is_refused(loaded: Kernel, how: str) -> None:
    ways = STREAMS + (DISPLAYS if LANE == 7 else "")
    loaded.run(SHARED.replace("WAYS", f"[{ways}]"))
    deleted = loaded.wire.begin(STUBBORN[how], subshell=loaded.wire.create())
    main = loaded.wire.send_execute(MAIN)
    loaded.wire.wait_for_text(main, "main waits")
    loaded.wire.execute("%%subshell\n%unload_ext ipyext")
    mains, deleteds = loaded.wire.wait(main, deleted)
    assert mains.status == "ok", mains.content
    loaded.run("sys.stdout.flush(); sys.stderr.flush()")
    assert mains.text() == "main waits\nmain ends\n"
    assert mains.text("stderr") == ""
    assert (mains.shown, deleteds.shown) == ([], [])
    assert deleteds.text() == "begun\n"
    assert deleteds.content["ename"] == "SubshellDeletedError"
    assert loaded.wire.stray_output() == []
    assert set(loaded.ask("refused")) == {"I/O operation on closed file: this subshell was deleted"}
    assert len(loaded.ask("refused")) == ways.count("partial")
    loaded.assert_stock()
