"""Libraries of others, used in main and in a child at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SHARED
from tests.wire import Answer, KernelProcess, Wire

pytestmark = pytest.mark.timeout(600)  # some libraries take their time to be imported


@pytest.fixture
def process(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    """A process of its own for each test: what these libraries put into it stays there."""
    return start_kernel()


def in_both(kernel: Wire, child: str, main_code: str, child_code: str) -> tuple[Answer, Answer]:
    """Run a cell in main and one in a child; they meet where they say so."""
    asked = kernel.send_execute(main_code), kernel.send_execute(child_code, subshell=child)
    main, other = kernel.wait(*asked, timeout=120)
    for answer in (main, other):
        assert answer.status == "ok", answer.text("stderr") + str(answer.content)
    return main, other


def ok(answer: Answer) -> Answer:
    assert answer.status == "ok", answer.text("stderr") + str(answer.content)
    return answer


# -- tqdm ------------------------------------------------------------------------------------------

BAR = """
for n in tqdm(range(5), desc={name!r}, mininterval=0, miniters=1):
    meet.wait()
"""


def test_bars_of_tqdm_in_two_shells(kernel: Wire, child: str) -> None:
    ok(kernel.execute("from tqdm import tqdm"))
    names = "bar of main", "bar of child"
    answers = in_both(kernel, child, *(BAR.format(name=name) for name in names))
    for name, answer in zip(names, answers, strict=True):
        bars = answer.text("stderr").strip("\r\n").split("\r")
        assert all(line.startswith(name) for line in bars)
        assert "5/5" in bars[-1]
    assert kernel.stray_output() == []


def test_bars_of_tqdm_notebook_in_two_shells(kernel: Wire, child: str) -> None:
    ok(kernel.execute("from tqdm.notebook import tqdm as make; made = {}"))
    code = """
bar = made[{name!r}] = make(range(5), desc={name!r}, mininterval=0, miniters=1)
for n in bar:
    meet.wait()
"""
    answers = in_both(kernel, child, *(code.format(name=n).replace("bar", n) for n in ("a", "b")))
    for answer in answers:
        (shown,) = answer.of("display_data")
        assert "application/vnd.jupyter.widget-view+json" in shown["data"]
    asked = "sorted((name, bar.container.children[1].value) for name, bar in made.items())"
    assert ok(kernel.execute(asked)).result == "[('a', 5.0), ('b', 5.0)]"
    assert kernel.stray_output() == []


# -- autoreload ------------------------------------------------------------------------------------

EDIT = """
import os, pathlib
def edit(answer, age):
    path = pathlib.Path("edited.py")
    path.write_text(f"def answer(): return {answer!r}\\n")
    os.utime(path, (age, age))  # autoreload compares times of change
    for stale in pathlib.Path("__pycache__").glob("edited.*"):
        stale.unlink()
"""


def test_autoreload_in_a_child(kernel: Wire, child: str) -> None:
    """It is switched on for the process: a change is seen in every shell, also while main runs."""
    ok(kernel.execute(EDIT + "edit('first', 1_000_000_000)\nimport edited"))
    ok(kernel.execute("%load_ext autoreload\n%autoreload 2", subshell=child))
    assert ok(kernel.execute("edited.answer()", subshell=child)).result == "'first'"
    loop = kernel.begin("go.wait(); edited.answer()")
    ok(kernel.execute("edit('second', 1_100_000_000)", subshell=child))
    assert ok(kernel.execute("edited.answer()", subshell=child)).result == "'second'"
    ok(kernel.execute("go.set()", subshell=child))
    assert ok(kernel.wait(loop)[0]).result == "'second'"
    ok(kernel.execute("edit('third', 1_200_000_000)"))
    assert ok(kernel.execute("edited.answer()")).result == "'third'"
    ok(kernel.execute("%autoreload 0"))


# -- coverage --------------------------------------------------------------------------------------

MEASURED = """
def shared(name, meet):
    meet.wait()
    if name == "main":
        found = "in main"
    else:
        found = "in a child"
    meet.wait()
    return found
"""
START = """
import coverage, pathlib
pathlib.Path("measured.py").write_text({source!r})
coverage_of = coverage.Coverage(data_file=None, include=["*measured.py"])
coverage_of.start()
import measured
"""
MISSING = "coverage_of.stop(); coverage_of.analysis2('measured.py')[3]"


def test_coverage_of_code_in_a_child(kernel: Wire) -> None:
    ok(kernel.execute(SHARED))
    ok(kernel.execute(START.format(source=MEASURED)))
    child = kernel.create()  # after the start: coverage measures threads that begin after it
    main, other = in_both(
        kernel, child, "measured.shared('main', meet)", "measured.shared('child', meet)"
    )
    assert (main.result, other.result) == ("'in main'", "'in a child'")
    assert ok(kernel.execute(MISSING)).result == "[]"


def test_coverage_of_a_whole_kernel(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path
) -> None:
    """Started with the kernel, as for subprocesses: all that children run is in the data."""
    (tmp_path / "measured.py").write_text(MEASURED)
    (tmp_path / "rc").write_text(
        f"[run]\ndata_file = {tmp_path / 'data'}\nsource = {tmp_path}\nconcurrency = thread\n"
    )
    process = start_kernel(
        "--ext=ipyext",
        module="tests.fronts.covered_kernel",
        env={
            "COVERAGE_PROCESS_START": str(tmp_path / "rc"),
            "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}",
        },
    )
    kernel = process.client()
    ok(kernel.execute(SHARED + "import measured"))
    in_both(
        kernel,
        kernel.create(),
        "measured.shared('main', meet)",
        "measured.shared('child', meet)",
    )
    kernel.expect_reply[kernel.send("shutdown_request", {"restart": False}, channel="control")] = (
        False
    )
    assert process.gone_within(30), process.log.read_text()
    import coverage

    data = coverage.CoverageData(str(tmp_path / "data"))
    data.read()
    measured = [name for name in data.measured_files() if name.endswith("measured.py")]
    (name,) = measured
    assert {3, 4, 5, 7, 8, 9} <= set(data.lines(name) or ())


# -- nest_asyncio ----------------------------------------------------------------------------------

NESTED = """
async def inner(name):
    await asyncio.sleep(0)
    meet.wait()
    return name
async def outer(name):
    return asyncio.get_running_loop().run_until_complete(inner(name))
"""


def test_nested_loops_in_two_shells(kernel: Wire, child: str) -> None:
    ok(kernel.execute("import nest_asyncio; nest_asyncio.apply()\n" + NESTED))
    ok(kernel.execute("import nest_asyncio; nest_asyncio.apply()", subshell=child))
    main, other = in_both(
        kernel, child, "asyncio.run(outer('main'))", "asyncio.run(outer('child'))"
    )
    assert (main.result, other.result) == ("'main'", "'child'")
    main, other = in_both(kernel, child, "await inner('main')", "await inner('child')")
    assert (main.result, other.result) == ("'main'", "'child'")


# -- pandas, ipympl --------------------------------------------------------------------------------


def test_tables_of_pandas_in_two_shells(kernel: Wire, child: str) -> None:
    ok(kernel.execute("import pandas"))
    code = (
        "table = pandas.DataFrame({{'{0}': range(3)}}); meet.wait()\n"
        "display(table); meet.wait()\ntable.describe()"
    )
    names = "main_column", "child_column"
    # Two names: what cells assign is shared.
    first, second = (code.format(name).replace("table", f"of_{name}") for name in names)
    answers = in_both(kernel, child, first, second)
    for name, answer in zip(names, answers, strict=True):
        (shown,) = answer.of("display_data")
        (result,) = answer.of("execute_result")
        for data in (shown["data"], result["data"]):
            assert name in data["text/html"]
            assert name in data["text/plain"]


FIGURE = """
{0} = plt.figure(); {0}.add_subplot(); meet.wait()
clicks_{0} = []
{0}.canvas.mpl_connect('button_press_event', lambda event: clicks_{0}.append(event.x))
plt.gcf() is {0}
"""
CLICK = {
    "type": "button_press",
    "x": 7,
    "y": 7,
    "button": 0,
    "buttons": 1,
    "step": 0,
    "modifiers": [],
    "guiEvent": {},
}


def test_figures_of_ipympl_in_two_shells(kernel: Wire, child: str) -> None:
    """Each under its own cell, and a click arrives while main is busy."""
    ok(kernel.execute("%matplotlib widget\nimport matplotlib.pyplot as plt\nplt.ioff()"))
    main, other = in_both(kernel, child, FIGURE.format("one"), FIGURE.format("two"))
    assert (main.result, other.result) == ("True", "True")
    ok(kernel.execute("%matplotlib widget\nplt.ioff()", subshell=child))
    for name, where in (("one", None), ("two", child)):
        (shown,) = ok(kernel.execute(f"display({name}.canvas)", subshell=where)).of("display_data")
        assert "application/vnd.jupyter.widget-view+json" in shown["data"]
    model = ok(kernel.execute("two.canvas.model_id")).result
    loop = kernel.begin("while not clicks_two: pass\nclicks_two")
    data = {"method": "custom", "content": CLICK}
    kernel.wait(kernel.send("comm_msg", {"comm_id": str(model).strip("'"), "data": data}))
    assert ok(kernel.wait(loop)[0]).result == "[7]"


# -- what the server asks --------------------------------------------------------------------------


def test_usage_while_main_is_busy(kernel: Wire, child: str) -> None:
    """What jupyter-resource-usage asks; see test_usage.py for the server itself."""
    loop = kernel.begin("go.wait()")
    usage = kernel.control("usage_request")
    assert usage["pid"] == int(
        str(ok(kernel.execute("import os; os.getpid()", subshell=child)).result)
    )
    assert usage["kernel_memory"] > 0
    ok(kernel.execute("go.set()", subshell=child))
    assert ok(kernel.wait(loop)[0]).result == "True"
