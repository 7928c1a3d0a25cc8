"""A block of ours in ``ipython_kernel_config.py``, which kernels read and plain IPython does not.

Between its first and its last line it is ours; every other byte of the file stays what it is.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from ipyext.install.changes import Change, InstallError, WriteFile, folders_for, folders_without

FILE = "ipython_kernel_config.py"

_FIRST = b"# >>> ipyext >>> written by `ipyext install`, removed by `ipyext install --uninstall`"
_LAST = b"# <<< ipyext <<<"
_MARK = re.compile(rb"^# (>>> ipyext >>>|<<< ipyext <<<)", re.M)
_BLOCK = re.compile(
    rb"^# >>> ipyext >>>.*?(?P<end>\r?\n)"
    rb"# Came with it: (?:(?P<line>the line break before it)|the file, folders: (?P<folders>\d+))"
    rb"\r?\n"
    rb"(?:(?!# >>> ipyext).*\n)*?"
    rb"# <<< ipyext <<<(?:\r?\n|\r?\Z)",
    re.M,
)


def _block(came: bytes) -> bytes:
    return b"\n".join(
        (
            _FIRST,
            b"# Came with it: " + came,
            b"# Kernels load ipyext when they start, unless IPYEXT_DISABLE=1 is set for them.",
            b"try:",
            b"    from ipyext.autoload import configure",
            b"except ImportError:  # not in this kernel's environment, or not any more",
            b"    pass",
            b"else:",
            b"    configure()",
            _LAST,
            b"",
        )
    )


def ipython_dir() -> Path:
    """Where IPython's profiles are. IPython's own function would create it."""
    named = os.environ.get("IPYTHONDIR")
    if named:
        return Path(os.path.normpath(os.path.expanduser(named)))
    home = Path.home() / ".ipython"
    old = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "ipython"
    return old if old.is_dir() and not home.exists() else home


def profiles() -> list[str]:
    """The names of the profiles that there are."""
    return sorted(p.name[8:] for p in ipython_dir().glob("profile_*") if p.is_dir())


def file_of_profile(name: str, *, there: bool = True) -> Path:
    """The file that kernels with that profile read.

    Args:
        name: of the profile.
        there: whether it has to be there. IPython makes ``default`` by itself.

    Raises:
        InstallError: there is no such profile, or no profile can have that name.
    """
    root = ipython_dir()
    if not name or Path(name).name != name:
        raise InstallError(f"{name!r} is not the name of a profile.")
    folder = root / f"profile_{name}"
    if there and name != "default" and not folder.is_dir():
        known = profiles()
        raise InstallError(
            f"There is no profile {name!r} in {root}"
            + (f"; there are: {', '.join(known)}. " if known else ". ")
            + f"Create it with: ipython profile create {shlex.quote(name)}"
        )
    return folder / FILE


def file_of_prefix(prefix: str) -> Path:
    """The file that all kernels of an environment read, whatever their profile.

    Raises:
        InstallError: there is no such environment.
    """
    if not Path(prefix).is_dir():
        raise InstallError(f"There is no folder {prefix}, so no environment either.")
    return Path(os.path.abspath(prefix), "etc", "ipython", FILE)


def is_installed(file: Path) -> bool:
    """Whether the block is in that file."""
    try:
        return _BLOCK.search(file.read_bytes()) is not None
    except OSError:
        return False


def lines_of_others(file: Path) -> bytes:
    """What is in that file beside the block; raises OSError."""
    return _BLOCK.sub(b"", file.read_bytes())


def install(file: Path) -> list[Change]:
    """The changes that put the block into `file`; none if it is there.

    Raises:
        InstallError: kernels would not read the file.
    """
    old = _read(file)
    if old is None:
        folders = folders_for(file.parent)
        block = _block(b"the file, folders: %d" % len(folders))
        return [*folders, WriteFile(file, _led_to(file), block, None)]
    found = _find(file, old)
    if found is not None:
        # A block of an earlier release becomes one of this.
        came = b"the line break before it" if found["line"] else found[0].splitlines()[1][16:]
        block = _block(came).replace(b"\n", found["end"])
        new = old[: found.start()] + block + old[found.end() :]
        return [] if new == old else [WriteFile(file, "our lines in it", new, old)]
    _check_python(file, old)
    # Always a line break first: then taking the block out leaves exactly what was there.
    block = b"\n" + _block(b"the line break before it")
    new = old + (block.replace(b"\n", b"\r\n") if b"\r\n" in old else block)
    _check_python(file, new)
    return [WriteFile(file, "lines at its end; the rest is as it was", new, old)]


def uninstall(file: Path) -> list[Change]:
    """The changes that take the block out of `file`; none if it is not there.

    Raises:
        InstallError: the block was edited, so that its end cannot be told.
    """
    old = _read(file)
    found = None if old is None else _find(file, old)
    if old is None or found is None:
        return []
    before, rest = old[: found.start()], old[found.end() :]
    if not found["line"] and not before and not rest:
        gone = [] if file.is_symlink() else [file]  # a link stays, and its folder with it
        folders = folders_without(gone, file.parent, int(found["folders"]))
        return [WriteFile(file, _led_to(file), None, old), *folders]
    if found["line"]:
        without = before.removesuffix(found["end"])
        # What was written after the block must not end up in the last line before it.
        if not rest or without.endswith((b"\n", b"\r")) or not without:
            before = without
    return [WriteFile(file, "our lines are out; the rest is as it was", before + rest, old)]


def _led_to(file: Path) -> str:
    """A note on what is written, if `file` is a link."""
    if not file.is_symlink():
        return ""
    end = Path(os.path.realpath(file))
    if not end.parent.is_dir():
        raise InstallError(
            f"{file} is a link to {end}, and there is no such folder. Nothing was changed."
        )
    return f"that is {end}; the link stays"


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InstallError(f"Cannot read {file}: {error.strerror}. Nothing was changed.") from None


def _find(file: Path, content: bytes) -> re.Match[bytes] | None:
    found = _BLOCK.search(content)
    if len(_MARK.findall(content)) != (0 if found is None else 2):
        raise InstallError(
            f"The lines of ipyext in {file} were edited, so it is unclear where they end. Delete "
            f"everything from '# >>> ipyext' to '{_LAST.decode()}' by hand. Nothing was changed."
        )
    return found


def _check_python(file: Path, content: bytes) -> None:
    try:
        compile(content, str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)  # None for a null byte
        place = "" if line is None else f", line {line}"
        raise InstallError(
            f"{file}{place}: {getattr(error, 'msg', error)}. Kernels do not read a file with such "
            "an error. Correct it first; nothing was changed."
        ) from None
