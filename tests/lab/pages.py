"""What a person does in JupyterLab and Notebook 7, and what they see there.

Nothing here waits for time: a locator with an expectation waits for what the page shows.
"""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

# The notebook on the page, as the application knows it. Its toolbar says "idle" before the kernel
# is connected, so that whether it is there for us is asked of the application.
_PANEL = """const panel = [...window.jupyterapp.shell.widgets('main')]
    .find(widget => widget.context && widget.content && widget.content.widgets);"""
_READY = f"""() => {{
    {_PANEL}
    const session = panel && panel.context.sessionContext;
    const kernel = session && session.session && session.session.kernel;
    return kernel && session.isReady && kernel.connectionStatus === 'connected'
        && (kernel.status === 'idle' || kernel.status === 'busy')
        && window.jupyterapp.commands.isEnabled('notebook:run-cell');
}}"""


class Cell:
    """A code cell of a notebook or of a console."""

    def __init__(self, locator: Locator) -> None:
        self.locator = locator
        self.prompt = locator.locator(".jp-InputPrompt").first
        self.output = locator.locator(".jp-Cell-outputArea")
        self.editor = locator.locator(".cm-content").first

    def shows(self, text: str | re.Pattern[str]) -> None:
        """Wait until the cell's output has that text."""
        expect(self.output).to_contain_text(text)

    def runs(self) -> None:
        """Wait until the cell is marked as running."""
        expect(self.prompt).to_have_text("[*]:")

    def has_run(self, count: int | None = None) -> None:
        """Wait until the cell has an execution count."""
        wanted = r"\d+" if count is None else str(count)
        expect(self.prompt).to_have_text(re.compile(rf"^\[{wanted}\]:$"))


class Application:
    """JupyterLab or Notebook 7 on a page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._address = address

    def command(self, name: str, arguments: Any = None) -> None:
        """Have the application run one of its commands, without waiting for its end."""
        self.page.evaluate(
            "([name, args]) => { window.jupyterapp.commands.execute(name, args); }",
            [name, arguments or {}],
        )

    def offers(self, command: str) -> bool:
        """Whether the application shows a command to people, in menus for instance."""
        return bool(
            self.page.evaluate("name => window.jupyterapp.commands.isVisible(name)", command)
        )


class Notebook(Application):
    """A notebook that is open on a page, with its kernel connected."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page, address)
        self.panel = page.locator(".jp-NotebookPanel")
        self.bug = self.panel.locator(".jp-DebuggerBugButton")
        page.goto(address)
        self.ready()

    def ready(self) -> None:
        """Wait until the notebook is there and its kernel answers."""
        expect(self.panel.locator(".jp-Cell").first).to_be_visible()
        self.page.wait_for_function(_READY)

    def reload(self) -> None:
        """Load the page again."""
        self.page.reload()
        self.ready()

    def cell(self, number: int) -> Cell:
        return Cell(self.panel.locator(".jp-Notebook .jp-Cell").nth(number))

    def run(self, number: int) -> Cell:
        """Run a cell, and return at once."""
        cell = self.cell(number)
        cell.prompt.click()
        expect(cell.locator).to_have_class(re.compile(r"\bjp-mod-active\b"))
        self.command("notebook:run-cell")
        return cell

    def interrupt(self) -> None:
        """Press the stop button."""
        self.panel.locator('[data-command="notebook:interrupt-kernel"]').click()

    def subshell_console(self) -> Console:
        """Open a subshell console beside the notebook."""
        self.command("notebook:create-subshell-console")
        return Console(self.page)


class Console:
    """A console that is open on a page."""

    def __init__(self, page: Page) -> None:
        self.panel = page.locator(".jp-ConsolePanel")
        self._page = page
        self._input = self.panel.locator(".jp-CodeConsole-promptCell .cm-content")
        expect(self._input).to_be_visible()

    def run(self, code: str) -> Cell:
        """Run code at the prompt, and return at once."""
        cells = self.panel.locator(".jp-CodeConsole-content .jp-CodeCell")
        before = cells.count()
        self._input.fill(code)
        self._input.press("Shift+Enter")
        return Cell(cells.nth(before))

    def close(self) -> None:
        """Close its tab."""
        self._page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").filter(
            has=self._page.locator('svg[data-icon="ui-components:console"]')
        ).locator(".lm-TabBar-tabCloseIcon").click()
