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
SUBSHELL_CONSOLE = "notebook:create-subshell-console"
_READY = f"""() => {{
    {_PANEL}
    const session = panel && panel.context.sessionContext;
    const kernel = session && session.session && session.session.kernel;
    return kernel && session.isReady && kernel.connectionStatus === 'connected'
        && (kernel.status === 'idle' || kernel.status === 'busy')
        && window.jupyterapp.commands.isEnabled('notebook:run-cell');
}}"""

_RECONNECT = """async () => {
    await window.jupyterapp.commands.execute('notebook:reconnect-to-kernel');
}"""
_KNOWS_SUBSHELLS = f"""(knows) => {{
    {_PANEL}
    return panel.context.sessionContext.session.kernel.supportsSubshells === knows;
}}"""

# A subshell console takes input before it has its subshell; what is run then goes to main.
_HAS_SUBSHELL = """() => {
    const consoles = [...window.jupyterapp.shell.widgets('main')].filter(w => w.console);
    const session = consoles.length && consoles[0].sessionContext.session;
    return session && session.kernel && session.kernel.subshellId;
}"""


class Cell:
    """A code cell of a notebook or of a console."""

    def __init__(self, locator: Locator) -> None:
        self.locator = locator
        self.prompt = locator.locator(".jp-InputPrompt").first
        self.output = locator.locator(".jp-Cell-outputArea")
        self.outputs = self.output.locator(".jp-OutputArea-output")

    def gutter(self, line: int) -> Locator:
        """Where a breakpoint is set and taken away; only while a debugger is on."""
        return self.locator.locator(".cm-breakpoint-gutter .cm-gutterElement").nth(line)

    def shows(self, text: str | re.Pattern[str]) -> None:
        """Wait until the cell's output has that text."""
        expect(self.output).to_contain_text(text)

    def runs(self) -> None:
        """Wait until the cell is marked as running."""
        expect(self.prompt).to_have_text("[*]:")

    def reconnects(self, offered: bool = True) -> None:
        """Press the button of its notice; or it shows nothing, since there is nothing to do."""
        if offered:
            self.output.get_by_role("button", name="Reconnect").click()
        else:
            expect(self.outputs).to_have_count(0)

    def has_run(self, count: int | None = None) -> None:
        """Wait until the cell has an execution count."""
        wanted = r"\d+" if count is None else str(count)
        expect(self.prompt).to_have_text(re.compile(rf"^\[{wanted}\]:$"))


class Slider:
    """An IntSlider of ipywidgets, from 0 to 100."""

    def __init__(self, cell: Cell) -> None:
        self._track = cell.output.locator(".noUi-base")
        self._handle = cell.output.locator(".noUi-handle")
        self._tapped = cell.output.locator(".noUi-state-tap")

    def move(self, percent: int) -> int:
        """Click on its track; returns the value that it has for the person then."""
        box = self._track.bounding_box()
        assert box is not None
        before = self._handle.get_attribute("aria-valuenow") or ""
        self._track.click(
            position={"x": box["width"] * percent / 100, "y": box["height"] / 2}, force=True
        )
        expect(self._handle).not_to_have_attribute("aria-valuenow", before)
        expect(self._tapped).to_have_count(0)  # the handle is there
        return round(float(self._handle.get_attribute("aria-valuenow") or ""))


class Application:
    """JupyterLab or Notebook 7 on a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def command(self, name: str, arguments: Any = None) -> None:
        """Have the application run one of its commands, without waiting for its end."""
        self.page.evaluate(
            "([name, args]) => { window.jupyterapp.commands.execute(name, args); }",
            [name, arguments or {}],
        )

    def menu(self, menu: str, item: str) -> None:
        """Click an item of a menu in the bar."""
        self.page.locator(".lm-MenuBar-item").get_by_text(menu, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(re.compile(f"^{item}")).click()

    def offers(self, command: str, offers: bool = True) -> None:
        """Wait until the application shows a command to people, or hides it."""
        self.page.wait_for_function(
            "([name, shown]) => window.jupyterapp.commands.isVisible(name) === shown",
            arg=[command, offers],
        )


class Notebook(Application):
    """A notebook that is open on a page, with its kernel connected."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page)
        self.panel = page.locator(".jp-NotebookPanel")
        self.bug = self.panel.locator(".jp-DebuggerBugButton")
        page.goto(address)
        self.ready()

    def ready(self) -> None:
        """Wait until the notebook is there and its kernel answers."""
        expect(self.panel.locator(".jp-Cell").first).to_be_visible()
        self.page.wait_for_function(_READY)

    def save(self) -> None:
        """Save the notebook, and wait until it is."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def reload(self) -> None:
        """Load the page again."""
        self.page.reload()
        self.ready()

    def reconnect(self) -> None:
        """Have the application connect to the kernel again, and wait until it has."""
        with self.page.expect_websocket():
            self.page.evaluate(_RECONNECT)
        self.ready()

    def knows_subshells(self, knows: bool = True) -> None:
        """Wait until the front end takes the kernel for one with subshells, or for one without."""
        self.page.wait_for_function(_KNOWS_SUBSHELLS, arg=knows)

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
        self.command(SUBSHELL_CONSOLE)
        console = Console(self.page)
        self.page.wait_for_function(_HAS_SUBSHELL)
        return console

    def debug(self) -> Debugger:
        """Switch the debugger on."""
        return Debugger(self.page, self.panel)


class Console:
    """A console that is open on a page."""

    def __init__(self, page: Page) -> None:
        self.panel = page.locator(".jp-ConsolePanel")
        self._page = page
        self._input = self.panel.locator(".jp-CodeConsole-promptCell .cm-content")
        expect(self._input).to_be_visible()

    def type(self, code: str) -> Cell:
        """Type code at the prompt."""
        self._input.fill(code)
        return Cell(self.panel.locator(".jp-CodeConsole-promptCell"))

    def run(self, code: str | None = None) -> Cell:
        """Run that code, or what has been typed, and return at once."""
        cells = self.panel.locator(".jp-CodeConsole-content .jp-CodeCell")
        before = cells.count()
        if code is not None:
            self.type(code)
        self._input.press("Shift+Enter")
        return Cell(cells.nth(before))

    def debug(self) -> Debugger:
        """Switch the debugger on."""
        return Debugger(self._page, self.panel)

    def close(self) -> None:
        """Close its tab."""
        self._page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").filter(
            has=self._page.locator('svg[data-icon="ui-components:console"]')
        ).locator(".lm-TabBar-tabCloseIcon").click()


class Debugger:
    """The debugger of a notebook or console, switched on, and its side bar."""

    def __init__(self, page: Page, panel: Locator) -> None:
        self._page = page
        self._panel = panel
        self._bug = panel.locator(".jp-DebuggerBugButton")
        self._bar = page.locator("#jp-debugger-sidebar")
        self.frames = self._bar.locator(".jp-DebuggerCallstackFrame")
        self.variables = self._bar.locator(".jp-DebuggerVariables-body").first
        self.breakpoints = self._bar.locator(".jp-DebuggerBreakpoint")
        expect(self._bug).to_have_attribute("aria-disabled", "false")
        if self._bug.get_attribute("aria-pressed") != "true":
            self._bug.click()
        # The button is pressed at once; until the debugger is on, JupyterLab drops further clicks.
        expect(panel).to_have_attribute("data-jp-debugger", "true")
        expect(self._bug).to_have_attribute("aria-pressed", "true")
        # Notebook 7 leaves it to people to open it, and JupyterLab where the debugger was on.
        page.evaluate("() => window.jupyterapp.shell.activateById('jp-debugger-sidebar')")
        expect(self._bar).to_be_visible()

    def stopped_in(self, *functions: str) -> None:
        """Wait until it shows a stop, in these functions, innermost first."""
        expect(self.frames.locator(".jp-DebuggerCallstackFrame-name")).to_have_text(functions)
        expect(self._button("Continue")).to_be_enabled()

    def variable(self, name: str) -> Locator:
        """The value that it shows for a variable."""
        row = self.variables.locator("jp-tree-item").filter(
            has=self._page.locator(".jp-DebuggerVariables-name").get_by_text(name, exact=True)
        )
        return row.locator(".jp-DebuggerVariables-detail")

    def goes_on(self) -> None:
        """Wait until it shows no stop."""
        expect(self.frames).to_have_count(0)
        expect(self._button("Pause")).to_be_enabled()

    def _button(self, name: str) -> Locator:
        return self._bar.locator(f'jp-button[title^="{name} ("]')

    def press(self, name: str) -> None:
        """Press one of its buttons: Continue, Pause, Next, Step In, Step Out, Terminate."""
        button = self._button(name)
        expect(button).to_be_enabled()
        button.click()

    def off(self) -> None:
        """Switch it off."""
        self._bug.click()
        expect(self._panel).not_to_have_attribute("data-jp-debugger", "true")
        expect(self._bug).to_have_attribute("aria-pressed", "false")
