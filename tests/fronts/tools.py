"""Tools of others that reach into a kernel: how they come, what they do, how they go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """Cells. What cannot be taken off again has an `off` that does nothing.

    Attributes:
        on: brings it in.
        use: cells that say by themselves, or by what they show, that it works; again and again.
        off: takes it away.
        shows: what the cells of `use` put out: a type of display, or text on stderr.
        copies: whether it keeps things of other modules as they were when it came.
        together: whether it is used with all others in one kernel.
    """

    on: str
    use: tuple[str, ...]
    off: str = "pass"
    shows: str = ""
    copies: bool = False
    together: bool = True


WIDGET = "application/vnd.jupyter.widget-view+json"

EDITED = """\
import os, pathlib
def edit():
    global age
    age += 100
    path = pathlib.Path("edited.py")
    path.write_text(f"age = {age}\\n")
    os.utime(path, (age, age))  # autoreload compares times of change
    for stale in pathlib.Path("__pycache__").glob("edited.*"):
        stale.unlink()
age = 1_000_000_000; edit()
import edited
"""

TOOLS = {
    "autoreload": Tool(
        on="%load_ext autoreload\n%autoreload 2\n" + EDITED,
        use=("edit()", "assert edited.age == age, (edited.age, age)"),
        off="%autoreload 0\n%unload_ext autoreload",
    ),
    "coverage": Tool(
        on="import coverage, pathlib\n"
        "pathlib.Path('measured.py').write_text('def work():\\n    return 1\\n')\n"
        "measured = coverage.Coverage(data_file=None, include=['*measured.py'])\n"
        "measured.start(); rounds = 0\nimport measured as subject",
        use=(
            "rounds += 1; measured.switch_context(str(rounds))\nsubject.work()",
            "assert str(rounds) in measured.get_data().contexts_by_lineno(subject.__file__)[2]",
        ),
        off="measured.stop()",
        copies=True,  # coverage.misc.isolate_module: so that nobody can mock what it uses
    ),
    "ipywidgets": Tool(
        on="import ipywidgets\nslider = ipywidgets.IntSlider()",
        use=("from IPython.display import display\nslider.value += 1; display(slider)",),
        off="slider.close()",
        shows=WIDGET,
    ),
    "matplotlib": Tool(
        on="import matplotlib.pyplot as plt",
        use=("%matplotlib inline\nplt.figure(); plt.plot([1]);",),
        off="plt.close('all')",
        shows="image/png",
    ),
    "ipympl": Tool(
        on="import matplotlib.pyplot as plt",
        use=("%matplotlib widget\nfigure = plt.figure(); plt.plot([1]); display(figure.canvas)",),
        off="plt.close('all')",
        shows=WIDGET,
    ),
    "nest_asyncio": Tool(
        on="import asyncio, nest_asyncio; nest_asyncio.apply()\n"
        "async def inner(): return await asyncio.sleep(0, 7)\n"
        "async def outer(): return asyncio.get_running_loop().run_until_complete(inner())",
        use=("assert asyncio.run(outer()) == 7",),
    ),
    "pandas": Tool(on="import pandas", use=("pandas.DataFrame({'a': [1]})",), shows="text/html"),
    "tqdm": Tool(
        on="import tqdm",
        use=("for _ in tqdm.tqdm(range(3)): pass",),
        off="tqdm.tqdm.monitor and tqdm.tqdm.monitor.exit(); tqdm.tqdm.monitor = None",
        shows="3/3",
    ),
    "tqdm.notebook": Tool(
        on="import tqdm.notebook",
        use=("for _ in tqdm.notebook.tqdm(range(3)): pass",),
        off="tqdm.tqdm.monitor and tqdm.tqdm.monitor.exit(); tqdm.tqdm.monitor = None",
        shows=WIDGET,
    ),
    "ipyparallel": Tool(
        on="import ipyparallel\ncluster = ipyparallel.Cluster(n=1, log_level=30)\n"
        "client = cluster.start_and_connect_sync(activate=True)",
        use=("assert client[:].apply_sync(lambda: 6 * 7) == [42]", "%px 6 * 7"),
        off="client.close(); cluster.stop_cluster_sync()",
        copies=True,  # `from getpass import getpass`, of what it is while a cell runs
        together=False,  # it starts processes, which takes as long as all of the others
    ),
}
