"""Tools of others that reach into a kernel: how they come, what they do, how they go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """Cells. What cannot be taken off again has an `off` that does nothing.

    Attributes:
        copies: whether it keeps copies of modules as they were when it came, with what is in them.
    """

    on: str
    use: str
    off: str = "pass"
    copies: bool = False


TOOLS = {
    "autoreload": Tool(
        on="%load_ext autoreload\n%autoreload 2",
        use="import json.tool",
        off="%autoreload 0\n%unload_ext autoreload",
    ),
    "coverage": Tool(
        on="import coverage; measured = coverage.Coverage(data_file=None); measured.start()",
        use="import json; json.dumps(1)",
        off="measured.stop()",
        copies=True,  # coverage.misc.isolate_module: so that nobody can mock what it uses
    ),
    "ipywidgets": Tool(
        on="import ipywidgets",
        use="from IPython.display import display\nslider = ipywidgets.IntSlider(); display(slider)",
        off="slider.close()",
    ),
    "matplotlib": Tool(
        on="%matplotlib inline\nimport matplotlib.pyplot as plt",
        use="plt.plot([1]);",
        off="plt.close('all')",
    ),
    "ipympl": Tool(
        on="%matplotlib widget\nimport matplotlib.pyplot as plt",
        use="figure = plt.figure(); plt.plot([1]);",
        off="plt.close('all')",
    ),
    "nest_asyncio": Tool(
        on="import nest_asyncio; nest_asyncio.apply()",
        use="import asyncio; asyncio.get_event_loop().run_until_complete(asyncio.sleep(0))",
    ),
    "pandas": Tool(on="import pandas", use="pandas.DataFrame({'a': [1]})"),
    "tqdm": Tool(
        on="from tqdm import tqdm",
        use="for _ in tqdm(range(3)): pass",
        off="tqdm.monitor and tqdm.monitor.exit(); tqdm.monitor = None",
    ),
    "tqdm.notebook": Tool(
        on="from tqdm.notebook import tqdm",
        use="for _ in tqdm(range(3)): pass",
        off="tqdm.monitor and tqdm.monitor.exit(); tqdm.monitor = None",
    ),
}
