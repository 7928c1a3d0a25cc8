"""``ipyext install``: from options to changes, and what people are told about them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from ipyext.autoload import SWITCH, switched_off
from ipyext.install import changes, kernelspec, profile
from ipyext.install.changes import Change, InstallError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        profile: a profile of IPython, or None for the default one.
        kernelspec: a kernelspec to write, in place of a profile.
        prefix: the environment to install into; None for the user's own folders.
        display_name: of the kernelspec.
        uninstall: undo it.
        dry_run: only say what would be done.
    """

    profile: str | None = None
    kernelspec: str | None = None
    prefix: str | None = None
    display_name: str | None = None
    uninstall: bool = False
    dry_run: bool = False


def run(options: Options) -> int:
    """Do it, and say so; returns the exit status, 0 or 1."""
    say = _console(error=False)
    try:
        if options.kernelspec is not None:
            _kernelspec(options, options.kernelspec, say)
        else:
            _profile(options, say)
    except InstallError as error:
        _console(error=True)(f"ipyext install: {error}")
        return 1
    except OSError as error:  # found while looking, so nothing was changed either
        place = error.filename or "a file"
        _console(error=True)(f"ipyext install: Cannot read {place}: {error.strerror or error}.")
        return 1
    if switched_off() and not options.uninstall:
        say(f"{SWITCH} is set in this environment: kernels started from it do not load it.")
    return 0


def _console(error: bool) -> Say:
    console = Console(stderr=error, highlight=False, emoji=False, markup=False)
    # Paths are copied from here, so lines are broken by the terminal and not by us.
    return lambda line: console.print(line, soft_wrap=True)


def _make(plan: list[Change], options: Options, say: Say) -> bool:
    """Make the changes, or only tell them; False if there are none."""
    if not options.dry_run:
        changes.make(plan)
    for change in plan:
        say(change.words(not options.dry_run))
    if options.dry_run:
        say("Nothing was changed (--dry-run).")
    return bool(plan)


def _profile(options: Options, say: Say) -> None:
    if options.prefix is None:
        name = "default" if options.profile is None else options.profile
        file = profile.file_of_profile(name, there=not options.uninstall)
        kernels = f"Kernels with the profile {name!r}"
        undo = "" if name == "default" else f" --profile {shlex.quote(name)}"
    else:
        file = profile.file_of_prefix(options.prefix)
        kernels = f"All kernels of the environment {options.prefix}"
        undo = f" {_place(options.prefix)}"
    if options.uninstall:
        if not _make(profile.uninstall(file), options, say):
            say(f"Nothing to do: ipyext is not in {file}")
        elif not options.dry_run:
            say(f"{kernels} start without ipyext from now on.")
        return
    if not _make(profile.install(file), options, say):
        say(f"Nothing to do: {file} loads ipyext already.")
    elif not options.dry_run:
        say(f"{kernels} load ipyext when they start. Those that run stay as they are.")
        say(f"To undo it: ipyext install{undo} --uninstall")


def _kernelspec(options: Options, name: str, say: Say) -> None:
    folder = kernelspec.folder_of(name, options.prefix)
    if options.uninstall:
        if not _make(kernelspec.uninstall(folder), options, say):
            say(f"Nothing to do: there is no {folder}")
        elif folder.exists() and not options.dry_run:
            say(f"{folder} has files that ipyext has not written; they are left.")
        return
    if not _make(kernelspec.install(folder, options.display_name), options, say):
        say(f"Nothing to do: {folder} is as it should be.")
        return
    elsewhere, first = kernelspec.others(folder)
    if not first:
        say(
            f"Jupyter run from {sys.executable} does not find this kernelspec: "
            + (f"it takes {elsewhere[0]}." if elsewhere else "it does not look there.")
        )
    elif elsewhere:
        say(f"It hides the kernelspec of the same name in {elsewhere[0]}.")
    if first and not options.dry_run:
        shown = kernelspec.display_name(folder)
        say(f"Front ends offer it as {shown!r} from now on; programs find it as {folder.name!r}.")
    if not options.dry_run:
        say(f"To undo it: ipyext install{_words(options, folder.name)} --uninstall")


def _words(options: Options, name: str) -> str:
    if options.prefix is None:
        return f" --kernelspec {name}"
    return f" --kernelspec {name} {_place(options.prefix)}"


def _place(prefix: str) -> str:
    return "--sys-prefix" if prefix == sys.prefix else f"--prefix {shlex.quote(prefix)}"
