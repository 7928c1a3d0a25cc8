"""Where people themselves have named the extension, to be loaded by itself: lines that are theirs.

What kernels read is read as they do, by the loaders of traitlets and jupyter_client. Nothing here
is changed by `ipyext install`, and nothing is undone by it.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from traitlets.config.loader import Config, JSONFileConfigLoader, LazyConfigValue

from ipyext.autoload import EXTENSION
from ipyext.install import kernelspec, profile

# Kernels read all four, the first first.
_FILES = (
    "ipython_config.py",
    "ipython_config.json",
    profile.FILE,
    str(Path(profile.FILE).with_suffix(".json")),
)
UNREADABLE = "kernels cannot read it"
_SECTIONS = ("InteractiveShellApp", "IPKernelApp")
_LISTS = ("extensions", "extra_extensions", "extra_extension")
_NAMES = ("ipyext", EXTENSION)
_NAME = re.compile(r"(?<![\w.])ipyext(\.autoload)?(?![\w.])")
# %load_ext ipyext, run_line_magic("load_ext", "ipyext"), load_extension("ipyext")
_LOADS = re.compile(r"\bload_ext(?:ension)?\b[\s\"',(]*ipyext(\.autoload)?(?![\w.])")
# What the block of `ipyext install` does, in lines of somebody's own.
_CONFIGURES = re.compile(rb"^[ \t]*from ipyext\.autoload import configure\b", re.M)
_OPTION = re.compile(rf"--(?:ext|(?:{'|'.join(_SECTIONS)})\.(?:{'|'.join(_LISTS)}))")


def in_folder(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files of a folder with configuration and what in them names it, or why nobody can read them.

    Running them is how they are read, here as in a kernel.
    """
    for name in _FILES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            found = _load(path)
        except (Exception, SystemExit) as error:
            yield path, f"{UNREADABLE}: {type(error).__name__}: {error}"
            continue
        for setting, values in _settings(found):
            if any(value in _NAMES or _LOADS.search(value) for value in values):
                yield path, f"c.{setting}"
        if path.suffix == ".py" and _CONFIGURES.search(profile.lines_of_others(path)):
            yield path, f"{EXTENSION}.configure"


def in_startup(folder: Path) -> Iterator[tuple[Path, str]]:
    """Startup files of a profile that load it, with the line."""
    for path in sorted([*folder.glob("startup/*.py"), *folder.glob("startup/*.ipy")]):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            if _LOADS.search(line.partition("#")[0]):
                yield path, f"line {number}: {line.strip()}"


def in_kernelspecs() -> Iterator[tuple[str, Path, str]]:
    """Kernelspecs that `install` has not written and that name it among a kernel's arguments."""
    for name, folder, spec in kernelspec.found():
        if not kernelspec.is_ours(folder):
            for option in _options(spec.argv):
                yield name, folder, option


def _load(path: Path) -> Config:
    with contextlib.redirect_stdout(io.StringIO()):  # which is JSON, perhaps
        if path.suffix == ".json":
            return JSONFileConfigLoader(path.name, str(path.parent)).load_config()
        # It takes a while to import, and few places have such a file.
        from IPython.core.application import ProfileAwareConfigLoader

        found: Config = ProfileAwareConfigLoader(path.name, str(path.parent)).load_config()
        return found


def _settings(found: Config) -> Iterator[tuple[str, list[str]]]:
    for section in _SECTIONS:
        for name in (*_LISTS, "exec_lines"):
            if section in found and name in found[section]:
                yield f"{section}.{name}", [str(value) for value in _values(found[section][name])]


def _values(value: Any) -> list[Any]:
    if isinstance(value, LazyConfigValue):  # appended to a list that is not known yet
        value = value.get_value([])
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


def _options(arguments: Sequence[str]) -> Iterator[str]:
    for option, following in zip(arguments, [*arguments, ""][1:], strict=True):
        name, sign, value = option.partition("=")
        if not _OPTION.fullmatch(name):
            continue
        if _NAME.search(value if sign else following):
            yield option if sign else f"{option} {following}"
