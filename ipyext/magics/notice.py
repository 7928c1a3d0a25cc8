"""What a person is told when a front end that is connected has to ask the kernel again."""

from __future__ import annotations

import html
from collections.abc import Collection

from IPython.display import display

# JupyterLab runs the command of a button that is clicked, and lets such buttons into the output
# of notebooks; other front ends show the button and do nothing.
_BUTTON = (
    '<button class="jp-mod-styled" data-commandlinker-command="notebook:reconnect-to-kernel">'
    "Reconnect</button>"
)
_MENU = "Kernel > Reconnect to Kernel"
_WHAT = {"kernel subshells": "subshell consoles", "debugger": "debugger"}


def show(loaded: bool, features: Collection[str]) -> None:
    """Tell it under the current cell; nothing is shown if no feature came or went.

    Args:
        loaded: ipyext was just loaded; False if it goes.
        features: what the kernel announces with ipyext and not without it.
    """
    if not features:
        return
    what = " and ".join(words for name, words in _WHAT.items() if name in features)
    begin = f"ipyext is {'loaded' if loaded else 'unloaded'}."
    end = f"and JupyterLab {'offers its' if loaded else 'no longer offers'} {what}."
    more = ""
    if loaded and "debugger" in features:
        more = (
            " The debugger needs a kernelspec that says so, too: ipyext install --kernelspec NAME"
        )
    display(
        {
            "text/plain": f"{begin} {_MENU}, {end}{more}",
            "text/html": f"{begin} {_BUTTON} ({html.escape(_MENU)}), {end}{html.escape(more)}",
        },
        raw=True,
    )
