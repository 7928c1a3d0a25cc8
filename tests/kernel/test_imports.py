"""G2, G4: shells import at once, and are interrupted at that: nobody waits for ever."""

from __future__ import annotations

import pytest

from tests.wire import KernelProcess, Wire

# What a cell of main calls to wait until `count` threads are in that function of importlib.
SETUP = """
import _imp, importlib, os, pathlib
if not os.path.exists('import_gate'): os.mkfifo('import_gate')  # a process is used by several tests
def waiting(function, count):
    def within(frame):
        while frame is not None and frame.f_code.co_name != function:
            frame = frame.f_back
        return frame is not None
    while sum(map(within, sys._current_frames().values())) < count:
        time.sleep(0.001)  # nothing tells that a thread has begun to wait for a lock
for number in range(5):
    pathlib.Path(f'fresh_{number}.py').write_text('value = 1')
pathlib.Path('slow_one.py').write_text(
    "import __main__; print('importing', flush=True); __main__.go.wait(30); value = 1"
)
for name in ('slow_one', *(f'fresh_{number}' for number in range(5))): sys.modules.pop(name, None)
importlib.invalidate_caches()
"""


@pytest.fixture
def ready(kernel: Wire, child: str) -> Wire:
    assert kernel.execute(SETUP).status == "ok"
    return kernel


@pytest.mark.parametrize("way", ["interrupt", "delete_subshell"])
def test_stopped_as_an_import_gets_the_import_lock(
    ready: Wire, child: str, process: KernelProcess, way: str
) -> None:
    ready.execute("thread = threading.current_thread()", subshell=child)
    main = ready.begin(
        "_imp.acquire_lock()\nwaiting('_get_module_lock', 1)\nprint('it waits', flush=True)\n"
        "opened = open('import_gate').read()\n_imp.release_lock()"
    )
    importing = ready.send_execute("import fresh_0", subshell=child)
    ready.wait_for_text(main, "it waits")
    assert ready.control(f"{way}_request", {"subshell_id": child}) == {"status": "ok"}
    (process.file.parent / "import_gate").write_text("open")
    assert ready.wait(importing, main)[0].status == "error"
    if way == "delete_subshell":
        ready.execute("thread.join(30)")
    for number, where in enumerate((None, ready.create()), 1):
        code = f"import fresh_{number}; fresh_{number}.value"
        assert ready.execute(code, subshell=where).result == "1"


@pytest.mark.parametrize("which", range(3))
def test_an_interrupt_of_one_that_waits_for_anothers_import(
    ready: Wire, child: str, which: int
) -> None:
    """The others that wait get the module, and so does main."""
    waiters = [child, ready.create(), ready.create()]
    importer, other = ready.create(), ready.create()
    slow = ready.send_execute("import slow_one; slow_one.value", subshell=importer)
    ready.wait_for_text(slow, "importing")
    cells = [
        ready.send_execute("import slow_one; slow_one.value", subshell=where) for where in waiters
    ]
    ready.execute("waiting('acquire', 3)")
    stop = {"subshell_id": waiters[which]}
    assert ready.control("interrupt_request", stop) == {"status": "ok"}
    (blocked,) = ready.control("interrupt_request", stop)["blocked"]
    assert blocked["subshell_id"] == waiters[which]
    ready.execute("go.set()", subshell=other)
    assert ready.wait(slow)[0].result == "1"
    answers = ready.wait(*cells)
    assert answers.pop(which).content["ename"] == "KeyboardInterrupt"
    assert [answer.result for answer in answers] == ["1", "1"]
    assert ready.execute("import slow_one; slow_one.value").result == "1"
