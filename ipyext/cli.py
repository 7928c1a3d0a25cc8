"""The command ``ipyext``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ipyext import __version__

_DESCRIPTION = """\
ipyext makes a stock Jupyter kernel answer while it is busy.

The extension itself is used from a notebook or console:

  %load_ext ipyext        load it into the running kernel
  %subshell               which shells there are and what they do
  %%subshell NAME         run a cell beside a busy main shell
  %unload_ext ipyext      give the stock kernel back

This command is for trying it without a notebook.
"""

_DEMO = """\
Start a stock kernel of this Python, load the extension into it, and show what
it promises: while main is in an endless loop, control requests, completion and
subshells are answered, a busy subshell is interrupted and deleted, and after
%unload_ext the kernel is what it was. Every claim is checked on the real
process. It needs no notebook, no server and no network but 127.0.0.1, and it
takes a few seconds.
"""

_DEMO_END = """\
exit status:
  0  every step did what it says
  1  one did not; the last lines say which, and what the kernel wrote
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(
        "ipyext",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"ipyext {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    demo = commands.add_parser(
        "demo",
        help="show and check the promises on a real kernel; needs nothing else",
        description=_DEMO,
        epilog=_DEMO_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    form = demo.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="no colours and no spinner")
    form.add_argument("--json", action="store_true", help="one JSON object, for programs")
    demo.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long any single wait may take (default: %(default)g)",
    )
    return top


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    top = parser()
    options = top.parse_args(arguments)
    if options.command is None:
        top.print_help()
        return 0
    from ipyext import demo
    from ipyext.demo.report import JsonReport, Report, TextReport

    report: Report = (
        JsonReport(sys.stdout) if options.json else TextReport(sys.stdout, options.plain)
    )
    return 0 if demo.run(report, options.timeout) else 1


if __name__ == "__main__":
    sys.exit(main())
