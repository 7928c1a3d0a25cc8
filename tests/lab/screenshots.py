"""The pictures of the documentation: ``python -m tests.lab.screenshots`` writes docs/images."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.lab.chromium import ARGUMENTS, CHROMIUM
from tests.lab.pages import Notebook, Slider
from tests.lab.server import Server

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 150_000  # bytes
SIZE = {"width": 1120, "height": 680}

TRAIN = """
import math, time

history = []
for epoch in range(2_000_000):
    time.sleep(0.002)  # an hour or more of this
    history.append(math.exp(-epoch / 500))
    if epoch % 500 == 0:
        print(f"epoch {epoch}: loss {history[-1]:.4f}")
""".strip()
SLIDERS = """
from ipywidgets import IntSlider, interact

@interact(last=IntSlider(10, 1, 100))
def mean(last):
    print(f"mean of the last {last}: {sum(history[-last:]) / last:.4f}")
""".strip()
PLOT = """
%%subshell look
import matplotlib.pyplot as plt

plt.figure(figsize=(7, 2.2))
plt.plot(history)
plt.title(f"{len(history)} epochs")
""".strip()
WORKER = """
%%subshell worker
def drop(epoch):
    before, after = history[epoch - 1], history[epoch]
    return before - after

largest = max(drop(epoch) for epoch in range(1, 10))
""".strip()


def console(page: Notebook) -> None:
    """A subshell console answers while a cell runs."""
    page.run(0).shows("epoch 500")
    opened = page.subshell_console()
    opened.run("len(history), history[-1]").shows("(")
    opened.run("%subshell").shows("busy")


def plot(page: Notebook) -> None:
    """A subshell plots what the running cell has so far."""
    main = page.run(0)
    main.shows("epoch 500")
    expect(page.run(1).output.locator("img")).to_be_visible()
    main.shows("epoch 1000")


def debugger(page: Notebook) -> None:
    """The debugger has stopped in a subshell, and main goes on."""
    main = page.run(0)
    main.shows("epoch 0")
    shown = page.debug()
    page.cell(1).gutter(4).click()
    page.run(1)
    expect(shown.variable("epoch")).to_have_text(re.compile("^1$"))
    page.run(2).shows("stopped by the debugger")
    main.shows("epoch 1500")


def sliders(page: Notebook) -> None:
    """Sliders work while a cell runs."""
    page.run(0).has_run(1)
    page.run(1).shows("mean of the last 10")
    page.run(2).shows("epoch 500")
    shown = page.cell(1)
    last = Slider(shown).move(60)
    shown.shows(f"mean of the last {last}")


PICTURES: dict[str, tuple[Callable[[Notebook], None], list[str]]] = {
    "console-while-busy": (console, [TRAIN]),
    "debugger-in-a-subshell": (debugger, [TRAIN, WORKER, "%subshell"]),
    "plot-while-training": (plot, [TRAIN, PLOT]),
    "sliders-while-busy": (sliders, ["history = [1.0]", SLIDERS, TRAIN]),
}


def take(page: Page, name: str) -> None:
    """Write what the page shows, with few colours, to a file that is not large."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(256)
    file = IMAGES / f"{name}.png"
    picture.save(file, optimize=True)
    size = file.stat().st_size
    assert size < LARGEST, f"{file} has {size} bytes"
    print(f"{file.relative_to(IMAGES.parents[1])}: {size} bytes")  # noqa: T201


def main() -> None:
    """Take all of them."""
    IMAGES.mkdir(exist_ok=True)
    expect.set_options(timeout=60_000)
    server = Server()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for name, (show, cells) in PICTURES.items():
                server.write(f"{name}.ipynb", cells)
                page = browser.new_context(viewport=SIZE, base_url=server.url).new_page()
                page.set_default_timeout(60_000)
                notebook = Notebook(page, f"/lab/workspaces/{name}/tree/{name}.ipynb")
                notebook.command("application:toggle-left-area")
                show(notebook)
                take(page, name)
                server.end_kernels()
            browser.close()
    finally:
        server.close()


if __name__ == "__main__":
    main()
