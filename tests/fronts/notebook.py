"""A notebook that does not know of the extension, and what of it must be equal in two runs."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

from tests.conftest import LANE

# Every kind of output that a notebook may keep. No times and no addresses in them; and no widget
# that captures output: with one, nbclient 0.11 now and then waits for ever, for stock kernels too.
SOURCE = """
print("one"); print("two"); 6 * 7
---
import sys
print("to stderr", file=sys.stderr)
---
_, __, _1, In[1][:12], len(Out)
---
from IPython.display import HTML, Markdown, clear_output, display
display(HTML("<b>bold</b>"), metadata={"isolated": True})
Markdown("*text*")
---
shown = display("first", display_id="changing")
shown.update("second")
---
for number in range(3):
    print(number)
    clear_output()
print("last")
---
def divide(number):
    return number / 0
divide(1)
---
import asyncio
await asyncio.gather(*(asyncio.sleep(0, number) for number in range(3)))
---
import threading
thread = threading.Thread(target=print, args=("from a thread",))
thread.start()
thread.join()
---
%%capture captured
print("captured")
7
---
captured.stdout, len(captured.outputs)
---
!echo from a process
found = !echo listed
found
---
%%bash
echo from a script
---
%%writefile module_of_the_notebook.py
answer = 42
---
import module_of_the_notebook
module_of_the_notebook.answer
---
%who int
---
import warnings
warnings.warn("careful")
---
%matplotlib inline
import matplotlib.pyplot as plt
plt.plot([1, 4, 9]);
---
figure, axes = plt.subplots(1, 2)
axes[0].bar(range(3), range(3))
plt.show()
print("after the figure")
---
import pandas
pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
---
from tqdm import tqdm
for _ in tqdm(range(3), bar_format="{desc}{n}/{total}", mininterval=0, file=sys.stdout):
    pass
---
import ipywidgets
slider = ipywidgets.IntSlider(3, description="steps")
slider
---
slider.value = 5
---
from tqdm.notebook import tqdm as bar
for _ in bar(range(2), bar_format="{l_bar}{bar}{n}/{total}"):
    pass
---
print("no line end", end="")
---
"text"; None
---
get_ipython().run_cell("print('a cell in a cell')").success
---
%xmode Minimal
divide(2)
---
len(Out), max(Out)
"""
CELLS = [cell.strip("\n") for cell in SOURCE.split("---\n")]
WIDGETS = "application/vnd.jupyter.widget-state+json"
FAILING = ("divide(1)", "divide(2)")


def write(path: Path, *cells: str) -> None:
    """Write a notebook of these cells; without any, one with every kind of output."""
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    )
    for number, source in enumerate(cells or CELLS):
        cell = nbformat.v4.new_code_cell(source, id=f"cell-{number}")
        if source.endswith(FAILING):
            cell.metadata["tags"] = ["raises-exception"]
        notebook.cells.append(cell)
    nbformat.write(notebook, path)


def comparable(path: Path) -> dict[str, Any]:
    """All of an executed notebook but times, numbers of processes and ids made at random.

    Where a text is split into messages depends on a timer, in a stock kernel as well.
    """
    text = path.read_text()
    text = re.sub(r"ipykernel_\d+", "ipykernel_N", text)
    if LANE == 5:  # there, cells have the names of files only while the extension is loaded
        text = re.sub(r"<ipython-input-\d+-\w+>|/tmp/ipykernel_N/\d+\.py", "CELL", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?", "TIME", text)
    text = re.sub(r'"duration": [\d.]+', '"duration": 0', text)
    content: dict[str, Any] = json.loads(text)
    for cell in content["cells"]:
        cell["outputs"] = list(_joined(cell.get("outputs", [])))
        if cell["cell_type"] == "markdown":  # which papermill has added
            del cell["id"]
    widgets = content["metadata"].pop("widgets", {}).get(WIDGETS, {}).get("state", {})
    found: dict[str, Any] = _resolved(content, widgets)
    states = _resolved([f"IPY_MODEL_{model}" for model in widgets], widgets)
    found["metadata"]["widgets"] = sorted(states, key=json.dumps)
    return found


def _resolved(thing: Any, widgets: dict[str, Any]) -> Any:
    """With the states of widgets in place of their random ids."""
    if isinstance(thing, dict):
        return {key: _resolved(value, widgets) for key, value in thing.items()}
    if isinstance(thing, list):
        return [_resolved(value, widgets) for value in thing]
    if isinstance(thing, str) and (model := thing.removeprefix("IPY_MODEL_")) in widgets:
        return _resolved(widgets[model], widgets)
    return thing


def _joined(outputs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, found in itertools.groupby(outputs, key=lambda output: output.get("name")):
        if name is None:
            yield from found
        else:
            text = "".join(part for output in found for part in output["text"])
            yield {"output_type": "stream", "name": name, "text": text}
