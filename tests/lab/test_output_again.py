"""What a page missed while it was closed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.lab.conftest import Open
from tests.lab.server import Server

# It waits for the test, so that it says what is shown and when.
RUNS = """
import base64, itertools, threading
from IPython.display import Image, display

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
steps = threading.Semaphore(0)
for count in itertools.count(1):
    print("round", count)
    if count == 3:
        display(Image(data=base64.b64decode(PNG)))
    steps.acquire()
    if count == 5:
        break
print("done")
""".strip()


def test_a_page_that_is_closed_and_opened_again(notebook: Open, server: Server) -> None:
    name = "test_a_page_that_is_closed_and_opened_again.ipynb"
    page = notebook(RUNS, "%subshell output --last", "%subshell output 1")
    page.run(0).shows("round 1")
    page.save()
    page.page.close()
    client = server.client(name)
    for _ in range(3):
        client.execute("%%subshell\nsteps.release()")
    client.execute("%%subshell\nwhile count < 4: pass")
    again = notebook()
    expect(again.cell(0).output).not_to_contain_text("round 2")
    missed = again.run(1)
    missed.shows("In [1] of main, running")
    missed.shows("round 4")
    expect(missed.output.locator("img")).to_have_count(1)
    texts = missed.output.locator(".jp-RenderedText")
    expect(texts).to_have_text(["round 1\nround 2\nround 3\n", "round 4\n"])
    expect(again.cell(0).output).not_to_contain_text("round 2")
    assert client.execute("%%subshell\ncount").result == "4"
    for _ in range(2):
        client.execute("%%subshell\nsteps.release()")
    later = again.run(2)
    later.has_run()
    later.shows("In [1] of main, ended")
    later.shows("done")
    expect(missed.output).not_to_contain_text("done")
    client.close()
