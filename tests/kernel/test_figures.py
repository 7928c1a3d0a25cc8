"""Figures belong to the shell that made them (G2), with matplotlib's inline backend.

A picture is known by its pixels: every figure is one solid colour, or is compared with what the
stock kernel drew. See also test_g2_right_place.py, whose names (`meet`, `go`) these cells use.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib import image

from tests.conftest import SHARED
from tests.pool import Pool
from tests.wire import Answer, KernelProcess, Wire

Colour = tuple[int, int, int]
MAIN, CHILD, OTHER = (200, 10, 20), (10, 200, 30), (30, 40, 210)

# IPython draws no figure without axes; the ones here have the colour of the rest.
PLOT = """
import gc, weakref
import matplotlib.pyplot as plt
def plot(*colours):
    for colour in colours:
        rgb = [part / 255 for part in colour]
        plt.figure(figsize=(1, 1), dpi=20, facecolor=rgb).add_axes([0, 0, 1, 1]).set_axis_off()
"""
INLINE = "%matplotlib inline\n"
KEEP = "%config InlineBackend.close_figures = False"
CLEAN = "plt.close('all')\n%config InlineBackend.close_figures = True"
GCF_FIGS = "__import__('matplotlib._pylab_helpers')._pylab_helpers.Gcf.figs"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Kernels of this file's own: matplotlib stays imported in a process."""
    kernels = Pool()
    yield kernels
    kernels.close()


@pytest.fixture
def plotting(kernel: Wire, child: str) -> Iterator[str]:
    """The id of a child, in a kernel with the inline backend and `plot`."""
    assert kernel.execute(INLINE + PLOT + CLEAN).status == "ok"
    yield child
    assert kernel.execute(CLEAN).status == "ok"


@pytest.fixture(autouse=True)
def nothing_astray(stock: Wire) -> Iterator[None]:
    yield
    stock.pump()
    assert stock.stray_output() == []


def pictures(answer: Answer) -> list[Any]:
    """The pixels of the pictures shown, in order."""
    found = [content["data"] for content in answer.of("display_data")]
    # Where that is so, an unload tells front ends to look at the kernel's features again.
    shown = [data["image/png"] for data in found if "ipyext is" not in data["text/plain"]]
    return [image.imread(io.BytesIO(base64.b64decode(png)), format="png") for png in shown]


def colours(answer: Answer) -> list[Colour]:
    """The colour of each picture shown; a picture that is not all of one colour fails."""
    found = []
    for pixels in pictures(answer):
        assert pixels.min(axis=(0, 1)).tolist() == pixels.max(axis=(0, 1)).tolist()
        red, green, blue = (pixels[0, 0, :3] * 255).round().astype(int).tolist()
        found.append((red, green, blue))
    return found


def finish(kernel: Wire, running: str, other: str | None) -> Answer:
    """Let a cell that waits for `go` end, and return its answer."""
    kernel.execute("go.set()", subshell=other)
    return kernel.wait(running)[0]


# -- figures, and whose they are -------------------------------------------------------------------


@pytest.mark.fault
@pytest.mark.parametrize("unfinished", ["main", "child"])
def test_an_unfinished_figure_is_not_shown_by_another_cell(
    kernel: Wire, plotting: str, unfinished: str
) -> None:
    here, other = (None, plotting) if unfinished == "main" else (plotting, None)
    running = kernel.begin(f"plot({MAIN})\ngo.wait()", subshell=here)
    assert pictures(kernel.execute("'nothing to draw'", subshell=other)) == []
    assert colours(kernel.execute(f"plot({CHILD})", subshell=other)) == [CHILD]
    assert colours(kernel.execute(f"plot({OTHER})\nplt.show()", subshell=other)) == [OTHER]
    assert not kernel.answers[running].of("display_data")
    assert colours(finish(kernel, running, other)) == [MAIN]


def test_an_error_shows_the_figures_of_its_own_cell(kernel: Wire, plotting: str) -> None:
    running = kernel.begin(f"plot({MAIN})\ngo.wait()")
    failed = kernel.execute(f"plot({CHILD})\n1 / 0", subshell=plotting)
    assert (failed.status, colours(failed)) == ("error", [CHILD])
    assert colours(finish(kernel, running, plotting)) == [MAIN]


@pytest.mark.fault
def test_every_shell_has_its_own_current_figure(kernel: Wire, plotting: str) -> None:
    kernel.execute(KEEP)
    state = "plt.get_fignums(), plt.gcf().number, plt.gca().get_title()"
    running = kernel.begin(
        "plt.figure(1); plt.figure(7)\nplt.title('of main')\n"
        f"go.wait()\nplt.plot([1, 2])\n{state}, len(plt.gca().lines)"
    )
    assert kernel.execute("plt.get_fignums()", subshell=plotting).result == "[]"
    kernel.execute(
        "plt.figure(3); plt.figure(7); plt.figure(3)\nplt.title('own')", subshell=plotting
    )
    kernel.execute("plt.plot([1]); plt.plot([2])", subshell=plotting)
    assert kernel.execute(state, subshell=plotting).result == "([3, 7], 3, 'own')"
    assert finish(kernel, running, plotting).result == "([1, 7], 7, 'of main', 1)"
    # It stays so when both are idle.
    assert kernel.execute("plt.gcf().number, plt.gca().get_title()").result == "(7, 'of main')"
    assert kernel.execute("len(plt.gca().lines)", subshell=plotting).result == "2"


def test_close_all_leaves_the_figures_of_others(kernel: Wire, plotting: str) -> None:
    second = kernel.create()
    main = kernel.begin(f"plot({MAIN})\ngo.wait()")
    theirs = kernel.begin(f"plot({OTHER}, {OTHER})\ngo.wait()", subshell=second)
    closing = kernel.execute(f"plot({CHILD})\nplt.close('all')", subshell=plotting)
    assert (closing.status, pictures(closing)) == ("ok", [])
    assert colours(finish(kernel, main, plotting)) == [MAIN]
    assert colours(kernel.wait(theirs)[0]) == [OTHER, OTHER]


def test_close_all_in_main_leaves_the_figures_of_a_child(kernel: Wire, plotting: str) -> None:
    running = kernel.begin(f"plot({CHILD})\ngo.wait()\nplt.get_fignums()", subshell=plotting)
    assert pictures(kernel.execute(f"plot({MAIN})\nplt.close('all')")) == []
    answer = finish(kernel, running, None)
    assert (answer.result, colours(answer)) == ("[1]", [CHILD])


@pytest.mark.parametrize("made_in", ["main", "child"])
def test_a_figure_of_another_shell_is_closed_when_it_is_named(
    kernel: Wire, plotting: str, made_in: str
) -> None:
    here, other = (None, plotting) if made_in == "main" else (plotting, None)
    kernel.execute(KEEP)
    code = f"plot({MAIN})\nnamed = plt.gcf()\nplot({CHILD})\ngo.wait()"
    running = kernel.begin(code, subshell=here)
    assert colours(kernel.execute(f"plot({OTHER})", subshell=other)) == [OTHER]
    kernel.execute("plt.close(1); plt.close('all'); plt.close()", subshell=other)
    kernel.execute("plt.close(named)", subshell=other)
    assert colours(finish(kernel, running, other)) == [CHILD]
    assert kernel.execute("plt.get_fignums()", subshell=here).result == "[2]"
    assert kernel.execute("plt.close(named); plt.close('all')", subshell=here).status == "ok"
    assert kernel.execute("plt.get_fignums()", subshell=here).result == "[]"


def test_figures_of_a_thread_that_a_cell_started(kernel: Wire, plotting: str) -> None:
    running = kernel.begin(f"plot({MAIN})\ngo.wait()")
    answer = kernel.execute(
        f"thread = threading.Thread(target=plot, args=({CHILD},))\nthread.start()\nthread.join()",
        subshell=plotting,
    )
    assert colours(answer) == [CHILD]
    assert colours(finish(kernel, running, plotting)) == [MAIN]


def test_kept_figures_are_drawn_again_where_they_were_made(kernel: Wire, plotting: str) -> None:
    kernel.execute(KEEP)
    assert colours(kernel.execute(f"plot({MAIN})")) == [MAIN]
    assert colours(kernel.execute(f"plot({CHILD})", subshell=plotting)) == [CHILD]
    assert colours(kernel.execute("plt.show()", subshell=plotting)) == [CHILD]
    assert colours(kernel.execute("plt.show()")) == [MAIN]


def test_a_callback_draws_while_main_has_an_unfinished_figure(kernel: Wire, plotting: str) -> None:
    kernel.execute("import ipywidgets; button = ipywidgets.Button()")
    kernel.execute(f"button.on_click(lambda _: (plot({OTHER}), plt.show()))")
    comm_id = kernel.execute("print(button.model_id)").text().strip()
    running = kernel.begin(f"plot({MAIN})\ngo.wait()")
    click = {"method": "custom", "content": {"event": "click"}}
    assert colours(kernel.request("comm_msg", {"comm_id": comm_id, "data": click})) == [OTHER]
    assert colours(finish(kernel, running, plotting)) == [MAIN]


@pytest.mark.parametrize("runs_in", ["main", "comms", "child"])
@pytest.mark.parametrize("who", ["widget", "comm"])
def test_a_callback_shows_what_it_has_drawn(
    kernel: Wire, plotting: str, who: str, runs_in: str
) -> None:
    """Without `plt.show()`, as the stock kernel on main: at the end of the callback."""
    made = {
        "widget": "import ipywidgets; b = ipywidgets.Button(); b.on_click(draw); print(b.model_id)",
        "comm": "from ipywidgets.comm import create_comm; c = create_comm(target_name='c')\n"
        "c.on_msg(draw); print(c.comm_id)",
    }
    policy = "header" if runs_in == "child" else "auto"
    kernel.execute(f"%config IPyExt.comms = {policy!r}\ndef draw(_): plot({OTHER})")
    comm_id = kernel.execute(made[who]).text().strip()
    running = kernel.begin("go.wait()") if runs_in == "comms" else None
    content = {
        "comm_id": comm_id,
        "data": {"method": "custom", "content": {"event": "click"}},
    }
    for _ in range(2):
        answer = kernel.request("comm_msg", content, subshell=plotting)
        assert colours(answer) == [OTHER]
    kernel.execute("%config IPyExt.comms = 'auto'", subshell=plotting)
    if running is not None:
        assert colours(finish(kernel, running, plotting)) == []
    assert kernel.execute("plt.get_fignums()").result == "[]"


ROUNDS = 20
# Another picture for every shell and round, always the same one.
CURVE = """
def curve(who, turn):
    figure = plt.figure(figsize=(2, 1.5), dpi=30, facecolor=["r", "g", "b", "y", "c"][who])
    axes = figure.add_axes([0, 0, 1, 1], frame_on=False, xticks=[], yticks=[])
    axes.plot(range(9), [(n * (who + 2)) % 7 for n in range(9)], "-o", color="black")
    axes.barh(turn / 4, 3, color="white")
"""


def test_five_shells_plot_at_once(stock: Wire) -> None:
    stock.execute(INLINE + SHARED + PLOT + CURVE)
    expected = [
        [pictures(stock.execute(f"curve({who}, {turn})"))[0] for turn in range(ROUNDS)]
        for who in range(5)
    ]
    stock.execute("%load_ext ipyext\nall_meet = threading.Barrier(5, timeout=60)")
    shells = [None, *(stock.create() for _ in range(4))]

    def cell(who: int, turn: int) -> str:
        # One to three pictures, so that the number of one cell is not that of its neighbours.
        drawn = "\n".join([f"curve({who}, {turn})"] * ((who + turn) % 3 + 1))
        return f"all_meet.wait()\n{drawn}\nlen(plt.get_fignums())"

    sent = [
        [stock.send_execute(cell(who, turn), subshell=shell) for who, shell in enumerate(shells)]
        for turn in range(ROUNDS)
    ]
    stock.wait(*(msg_id for cells in sent for msg_id in cells), timeout=90)
    for turn, cells in enumerate(sent):
        for who, msg_id in enumerate(cells):
            answer = stock.answers[msg_id]
            shown = pictures(answer)
            count = (who + turn) % 3 + 1
            assert (answer.result, len(shown)) == (str(count), count), (who, turn)
            for pixels in shown:
                assert pixels.shape == expected[who][turn].shape, (who, turn)
                assert (pixels == expected[who][turn]).all(), (who, turn)
    stock.check()


# -- matplotlib comes and goes, and so do we and our children --------------------------------------


@pytest.mark.parametrize("backend", ["", INLINE], ids=["default backend", "%matplotlib inline"])
@pytest.mark.parametrize("order", ["load, import", "import, load", "load, import in a child"])
def test_matplotlib_before_and_after_the_load(
    start_kernel: Callable[..., KernelProcess], order: str, backend: str
) -> None:
    # Empty: ipykernel sets its own. A process of its own: nothing is imported yet.
    kernel = start_kernel(env={"MPLBACKEND": ""}).client()
    kernel.execute(SHARED)
    if order == "import, load":
        assert kernel.execute(backend + PLOT).status == "ok"
    assert kernel.execute("%load_ext ipyext").status == "ok"
    child = kernel.create()
    if order != "import, load":
        assert kernel.execute("'matplotlib' in sys.modules").result == "False"
        there = child if order == "load, import in a child" else None
        assert kernel.execute(backend + PLOT, subshell=there).status == "ok"
    running = kernel.begin(f"plot({MAIN})\ngo.wait()")
    assert colours(kernel.execute(f"plot({CHILD}, {OTHER})", subshell=child)) == [CHILD, OTHER]
    assert pictures(kernel.execute("'nothing to draw'", subshell=child)) == []
    assert colours(finish(kernel, running, child)) == [MAIN]
    kernel.delete(child)
    assert colours(kernel.execute(f"plot({MAIN})")) == [MAIN]
    assert colours(kernel.execute(f"%unload_ext ipyext\nplot({OTHER})")) == [OTHER]
    assert colours(kernel.execute(f"plot({MAIN}, {OTHER})")) == [MAIN, OTHER]
    assert kernel.execute(f"type({GCF_FIGS}).__name__").result == "'OrderedDict'"
    kernel.check()


def test_two_shells_import_matplotlib_at_once(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(env={"MPLBACKEND": ""}).client()
    kernel.execute(SHARED + "%load_ext ipyext")
    child = kernel.create()
    cell = "meet.wait()\n" + PLOT.replace("def plot", "def plot_WHO") + "plot_WHO(COLOUR)"
    sent = [
        kernel.send_execute(cell.replace("WHO", who).replace("COLOUR", str(colour)), subshell=shell)
        for who, shell, colour in (("main", None, MAIN), ("child", child, CHILD))
    ]
    assert [colours(answer) for answer in kernel.wait(*sent)] == [[MAIN], [CHILD]]
    kernel.check()


# The import of the backend switches it on; the child finds it so, before the import has ended.
SLOW = """
import IPython.core.pylabtools as tools
activate = tools.activate_matplotlib
def slowly(backend):
    activate(backend)
    go.set()
    assert done.wait(30)
tools.activate_matplotlib = slowly
"""


@pytest.mark.parametrize("close", [True, False])
def test_a_figure_while_main_imports_the_backend(
    start_kernel: Callable[..., KernelProcess], close: bool
) -> None:
    kernel = start_kernel("--ext=ipyext", env={"MPLBACKEND": ""}).client()
    kernel.execute(SHARED + PLOT + SLOW)
    kernel.execute(f"get_ipython().config.InlineBackend.close_figures = {close}")
    child = kernel.create()
    drawn = kernel.send_execute(
        f"go.wait()\nplot({CHILD})\ndone.set()\nmeet.wait()", subshell=child
    )
    main = kernel.send_execute(f"plot({MAIN})\nmeet.wait()")
    assert [colours(answer) for answer in kernel.wait(main, drawn)] == [[MAIN], [CHILD]]
    for shell, colour in ((None, MAIN), (child, CHILD)):
        assert pictures(kernel.execute("'nothing to draw'", subshell=shell)) == []
        assert colours(kernel.execute(f"plot({colour})", subshell=shell)) == [colour]
    kernel.check()


def test_open_figures_of_main_stay_through_load_and_unload(stock: Wire) -> None:
    stock.execute(INLINE + PLOT + CLEAN)
    stock.execute(f"{KEEP}\nplot({CHILD})\nplt.gcf().set_label('before')\ntable = {GCF_FIGS}")
    stock.execute("%load_ext ipyext")
    assert stock.execute("plt.get_figlabels()").result == "['before']"
    child = stock.create()
    stock.execute("plt.figure('of the child')", subshell=child)
    stock.execute(f"plot({MAIN})\nplt.gcf().set_label('meanwhile')")
    assert stock.execute("plt.get_figlabels()").result == "['before', 'meanwhile']"
    stock.execute("%unload_ext ipyext")
    assert stock.execute("plt.get_figlabels()").result == "['before', 'meanwhile']"
    assert stock.execute(f"{GCF_FIGS} is table").result == "True"
    assert colours(stock.execute("plt.show()")) == [CHILD, MAIN]
    assert colours(stock.execute(f"{CLEAN}\nplot({OTHER})")) == [OTHER]
    stock.check()


def test_what_main_has_to_draw_when_the_extension_goes(stock: Wire) -> None:
    stock.execute(INLINE + PLOT + CLEAN)
    assert colours(stock.execute(f"plot({MAIN})\n%load_ext ipyext\nplot({OTHER})")) == [MAIN, OTHER]
    assert colours(stock.execute(f"plot({MAIN})\n%unload_ext ipyext\nplot({OTHER})")) == [
        MAIN,
        OTHER,
    ]
    assert pictures(stock.execute("'nothing to draw'")) == []
    stock.check()


@pytest.mark.parametrize("made_in", ["cell", "detached cell"])
def test_figures_of_a_deleted_child_do_not_leak(kernel: Wire, plotting: str, made_in: str) -> None:
    kernel.execute(KEEP)
    kernel.execute("before = set(threading.enumerate())")
    cell = "plt.figure('kept')\nkept = weakref.ref(plt.gcf())\ndone.set()"
    if made_in == "cell":
        child = kernel.create()
        kernel.execute(cell, subshell=child)
    else:
        kernel.execute(f"%%subshell worker --detach\n{cell}")
        assert kernel.execute("done.wait(30)").result == "True"
        (child,) = set(kernel.shells()) - {plotting}
    assert kernel.execute("plt.get_figlabels()", subshell=child).result == "['kept']"
    assert kernel.execute("kept() is not None").result == "True"
    ending = (
        "[t for t in threading.enumerate() if t not in before and t.name.startswith('subshell-')]"
    )
    kernel.execute(f"ending = {ending}")
    kernel.delete(child)
    kernel.execute("while ending:\n    ending.pop().join(30)")
    assert kernel.execute("_ = gc.collect()\nkept()").result is None
    assert kernel.execute("plt.get_figlabels()").result == "[]"


@pytest.mark.parametrize("where", ["main", "a child"])
def test_scripts_run_in_the_shell_that_runs_them(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path, where: str
) -> None:
    """%matplotlib has %run hold updates back until a script ends, and names a shell for it."""
    script = tmp_path / "script.py"
    script.write_text("import sys; raise ValueError('of ' + sys.argv[1])")
    kernel = start_kernel("--ext=ipyext").client()
    child, other = kernel.create(), kernel.create()
    kernel.execute(f"%run {script} nobody", subshell=other)  # has its own %run from now on
    switched = kernel.execute("%matplotlib inline", subshell=child if where == "a child" else None)
    assert switched.status == "ok"
    shells = {"main": None, "child": child, "other": other}
    for name, shell in shells.items():
        (error,) = kernel.execute(f"%run {script} {name}", subshell=shell).of("error")
        assert error["evalue"] == f"of {name}"
    for name, shell in shells.items():
        (error,) = kernel.execute("%tb", subshell=shell).of("error")
        assert error["evalue"] == f"of {name}"
    kernel.delete(child)
    for code in (f"%run {script} main", "%unload_ext ipyext", f"%run {script} main"):
        answer = kernel.execute(code)
        assert [error["evalue"] for error in answer.of("error")] == ["of main"] * ("%run" in code)
    assert kernel.stray_output() == []
    kernel.check()
