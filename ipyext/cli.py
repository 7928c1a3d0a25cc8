# PYTHON_ARGCOMPLETE_OK
"""The command ``ipyext``."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ipyext import __version__

_DESCRIPTION = """\
ipyext makes a stock Jupyter kernel answer while it is busy.

The extension itself is used from a notebook or console:

  %load_ext ipyext        load it into the running kernel
  %subshell               which shells there are and what they do
  %%subshell NAME         run a cell beside a busy main shell
  %debugctl start         debug a cell that runs already
  %unload_ext ipyext      give the stock kernel back

This command is for what is done outside of a notebook: trying it, having it
loaded in every kernel, finding out what is wrong.
"""

_END = """\
examples:
  ipyext demo                        see what it does, in a few seconds
  ipyext install --dry-run           what would be changed to load it in every kernel
  ipyext doctor                      does it work here? for reports of faults, too
  ipyext COMMAND --help              more about a command

completion, after pip install argcomplete, in the start file of the shell:
  eval "$(register-python-argcomplete ipyext)"                bash, zsh
  register-python-argcomplete --shell fish ipyext | source    fish
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

_INSTALL = """\
Have kernels load the extension when they start. There are two ways:

  a profile      Some lines of ours go to the end of ipython_kernel_config.py
                 in your IPython profile. All kernels with that profile load the
                 extension, in every front end and from every environment that
                 has it; in an environment without it the lines do nothing, and
                 plain IPython does not read that file. This is the default.
  a kernelspec   A kernel of its own in the menus of front ends, beside the ones
                 that are there: the stock ipykernel of this environment, with
                 the extension. Take this one for ipykernel 5.5, where it is what
                 makes JupyterLab offer its debugger.

What else is in these files stays as it is, byte by byte. It is safe to run it
twice, and --uninstall takes back exactly what was done. Kernels that run are
not touched.
"""

_INSTALL_END = """\
examples:
  ipyext install                                all kernels of the default profile
  ipyext install --dry-run                      only say what would be changed
  ipyext install --profile work                 all kernels started with --profile work
  ipyext install --sys-prefix                   all kernels of this environment
  ipyext install --kernelspec live              a kernel "live" of its own, for you
  ipyext install --kernelspec live --sys-prefix the same, within this environment
  ipyext install --kernelspec live --uninstall  undo that one

Once it is installed, IPYEXT_DISABLE=1 in the environment of a kernel (or of the
Jupyter server) gives a stock kernel; %load_ext ipyext works there as ever.

exit status:
  0  done, or nothing to do
  1  refused; one message says why, and nothing was changed
  2  wrong arguments
"""

_DOCTOR = """\
Find out whether the extension works here: look for what it depends on, compare
the versions with those that this release was checked with, say where it is
loaded by itself, start a kernel with your own configuration to see whether that
one loads it, and try it on a stock kernel of this Python: load, every change it
makes and why, control requests and a subshell while main loops, interrupts, the
debugger on a running loop, and unload, after which the kernel must be what it
was. Notebooks and running kernels are not touched.
"""

_DOCTOR_END = """\
examples:
  ipyext doctor                   for people
  ipyext doctor --plain > out.txt for a report of a fault
  ipyext doctor --json            for programs; the reference describes the fields

exit status:
  0  the versions are checked ones, your kernels start and load it where they are
     told to, and every step did what it says
  1  something is wrong; the last lines say what, and what the kernel wrote
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(
        "ipyext",
        description=_DESCRIPTION,
        epilog=_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"ipyext {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _live(
        commands.add_parser(
            "demo",
            help="show and check the promises on a real kernel; needs nothing else",
            description=_DEMO,
            epilog=_DEMO_END,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _install(
        commands.add_parser(
            "install",
            help="have kernels load the extension when they start",
            description=_INSTALL,
            epilog=_INSTALL_END,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _live(
        commands.add_parser(
            "doctor",
            help="find out whether it works here, and what is wrong if not",
            description=_DOCTOR,
            epilog=_DOCTOR_END,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    return top


def _live(command: argparse.ArgumentParser) -> None:
    """The options of a command that tries things on a kernel."""
    command.set_defaults(parser=command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="no colours and no spinner")
    form.add_argument("--json", action="store_true", help="one JSON object, for programs")
    command.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long any single wait may take (default: %(default)g)",
    )


def _install(command: argparse.ArgumentParser) -> None:
    command.set_defaults(parser=command)
    way = command.add_mutually_exclusive_group()
    profile: Any = way.add_argument(
        "--profile", metavar="NAME", help="the IPython profile to install into (default: default)"
    )
    profile.completer = _profiles
    kernelspec: Any = way.add_argument(
        "--kernelspec", metavar="NAME", help="write a kernelspec of that name in place of a profile"
    )
    kernelspec.completer = _kernelspecs
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "--user", action="store_true", help="in your own folders; this is the default"
    )
    place.add_argument(
        "--sys-prefix",
        action="store_const",
        dest="prefix",
        const=sys.prefix,
        help="in the environment of this Python, for everybody who uses it",
    )
    place.add_argument("--prefix", type=_path, metavar="PATH", help="in the environment at PATH")
    command.add_argument(
        "--display-name", metavar="TEXT", help="what front ends call the kernelspec"
    )
    command.add_argument(
        "--uninstall", action="store_true", help="take back what the same options have installed"
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be done, only")


def _profiles(**_: Any) -> list[str]:
    from ipyext.install import profile

    return profile.profiles()


def _kernelspecs(**_: Any) -> list[str]:
    from ipyext.install import survey

    return [place.name for place in survey.places() if place.kind == "kernelspec"]


def _path(text: str) -> str:
    if not text:  # an unset variable, perhaps; it would be the current folder
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    top = parser()
    _complete(top)
    options, unknown = top.parse_known_args(arguments)
    command = getattr(options, "parser", top)  # whose usage helps
    if unknown:
        command.error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command is None:
        top.print_help()
        return 0
    if options.command == "install":
        if options.profile is not None and options.prefix is not None:
            command.error(
                "--profile is for profiles, which are your own. --sys-prefix and --prefix "
                "without it mean all kernels of that environment, whatever their profile."
            )
        if options.display_name is not None and options.kernelspec is None:
            command.error("--display-name goes with --kernelspec")
        return _run_install(options)
    return (_run_demo if options.command == "demo" else _run_doctor)(options)


def _complete(top: argparse.ArgumentParser) -> None:
    try:
        import argcomplete
    except ImportError:  # an offer, no dependency
        return
    argcomplete.autocomplete(top)


@contextlib.contextmanager
def _needed(options: argparse.Namespace) -> Iterator[None]:
    """End the command with one message where what we import within is not there or broken."""
    try:
        yield
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        if name.startswith("ipyext"):
            raise
        options.parser.exit(
            1,
            f"ipyext {options.command} needs {name or 'something else'}, which does not load here: "
            f"{error}. `ipyext doctor` says what is missing and how to install it.\n",
        )


def _run_demo(options: argparse.Namespace) -> int:
    with _needed(options):
        from ipyext import demo
        from ipyext.demo.report import JsonReport, Report, TextReport

    report: Report = (
        JsonReport(sys.stdout) if options.json else TextReport(sys.stdout, options.plain)
    )
    return 0 if demo.run(report, options.timeout) else 1


def _run_doctor(options: argparse.Namespace) -> int:
    from ipyext.doctor import needs

    found = needs.look(options.timeout)
    if any(need.problem for need in found):
        needs.tell(found, sys.stdout, options.json)
        return 1
    from ipyext.doctor import examination
    from ipyext.doctor.report import DoctorJson, DoctorReport, DoctorText

    report: DoctorReport = (
        DoctorJson(sys.stdout) if options.json else DoctorText(sys.stdout, options.plain)
    )
    return 0 if examination.run(report, options.timeout, found) else 1


def _run_install(options: argparse.Namespace) -> int:
    with _needed(options):
        from ipyext.install import command

    return command.run(
        command.Options(
            options.profile,
            options.kernelspec,
            options.prefix,
            options.display_name,
            options.uninstall,
            options.dry_run,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
