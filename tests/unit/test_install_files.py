"""`ipyext install`: what it does to files, and that it undoes exactly that. No kernels."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from ipyext.install.changes import InstallError, MakeFolder, WriteFile, make
from ipyext.install.profile import FILE, ipython_dir
from tests.homes import Run, tree

FOUND = {
    "empty": b"",
    "a line": b"c = get_config()\nc.IPKernelApp.extensions = ['other']\n",
    "no line break at the end": b"c.InteractiveShell.colors = 'nocolor'",
    "Windows": b"c.A.b = 1\r\n# last\r\n",
    "Windows, no line break at the end": b"c.A.b = 1\r\n# last",
    "byte order mark": b"\xef\xbb\xbfc.A.b = 1\n",
    "another encoding": "# -*- coding: latin-1 -*-\nc.A.b = 'grün'\n".encode("latin-1"),
    "empty lines": b"\n\n\n",
    "old Mac": b"c.A.b = 1\r# last\r",
    "Windows, and one of old Mac at the end": b"c.A.b = 1\r\n# last\r",
}


def profile_file(home: Path, content: bytes | None = None) -> Path:
    folder = home / "ipython" / "profile_default"
    if content is not None:
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(content)
    return folder / FILE


# -- profiles --------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND)
def test_what_is_in_the_file_stays(install: Run, home: Path, found: bytes) -> None:
    file = profile_file(home, found)
    file.chmod(0o600)
    status, out, _ = install()
    assert (status, str(file) in out) == (0, True)
    now = file.read_bytes()
    assert now.startswith(found)
    assert now.count(b"configure()") == 1
    assert (b"\r\n" in now[len(found) :]) == (b"\r\n" in found)
    assert file.stat().st_mode & 0o777 == 0o600
    compile(now, "config", "exec")
    status, out, _ = install()  # once more
    assert (status, out.startswith("Nothing to do")) == (0, True)
    assert file.read_bytes() == now
    assert install("--uninstall")[0] == 0
    assert tree(home) == {
        "ipython": None,
        "ipython/profile_default": None,
        f"ipython/profile_default/{FILE}": found,
    }
    assert install("--uninstall")[1].startswith("Nothing to do")


def test_what_it_made_goes_with_it(install: Run, home: Path) -> None:
    assert install()[0] == 0
    assert profile_file(home).is_file()
    assert install("--uninstall")[0] == 0
    assert tree(home) == {}


def test_folders_that_are_in_use_stay(install: Run, home: Path) -> None:
    install()
    (profile_file(home).parent / "history.sqlite").write_bytes(b"")
    assert install("--uninstall")[0] == 0
    assert tree(home) == {
        "ipython": None,
        "ipython/profile_default": None,
        "ipython/profile_default/history.sqlite": b"",
    }


@pytest.mark.parametrize("found", [None, b"a = 1\n", b"a = 1", b""])
def test_lines_that_people_add_afterwards_stay(
    install: Run, home: Path, found: bytes | None
) -> None:
    file = profile_file(home, found)
    install()
    file.write_bytes(file.read_bytes() + b"b = 2\n")
    assert install()[1].startswith("Nothing to do")
    assert install("--uninstall")[0] == 0
    assert file.read_bytes() == {None: b"b = 2\n", b"": b"b = 2\n"}.get(found, b"a = 1\nb = 2\n")


def test_lines_before_ours_stay(install: Run, home: Path) -> None:
    file = profile_file(home)
    install()
    file.write_bytes(b"a = 1\n" + file.read_bytes())
    assert install("--uninstall")[0] == 0
    assert file.read_bytes() == b"a = 1\n"


def test_the_block_of_another_release_is_replaced(install: Run, home: Path) -> None:
    file = profile_file(home, b"a = 1\n")
    install()
    new = file.read_bytes()
    file.write_bytes(new.replace(b"configure()", b"old()") + b"b = 2\n")
    assert install()[0] == 0
    assert file.read_bytes() == new + b"b = 2\n"


def test_a_linked_file_stays_a_link(install: Run, home: Path) -> None:
    real = home / "dotfiles.py"
    real.write_bytes(b"a = 1\n")
    file = profile_file(home)
    file.parent.mkdir(parents=True)
    file.symlink_to(real)
    install()
    assert file.is_symlink()
    assert b"ipyext" in real.read_bytes()
    install("--uninstall")
    assert (file.is_symlink(), real.read_bytes()) == (True, b"a = 1\n")


def links(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): os.readlink(path)
        for path in folder.rglob("*")
        if path.is_symlink()
    }


def test_a_link_to_a_file_that_is_to_come_stays(install: Run, home: Path) -> None:
    file = profile_file(home)
    file.parent.mkdir(parents=True)
    (home / "dotfiles").mkdir()
    file.symlink_to(home / "dotfiles" / "kernel.py")
    before = tree(home), links(home)
    assert str(home / "dotfiles" / "kernel.py") in install("--dry-run")[1]
    assert (tree(home), links(home)) == before
    assert install()[0] == 0
    assert b"ipyext" in (home / "dotfiles" / "kernel.py").read_bytes()
    assert install("--uninstall")[0] == 0
    assert (tree(home), links(home)) == before


def test_a_file_of_ours_that_became_a_link(install: Run, home: Path) -> None:
    install()
    file = profile_file(home)
    file.rename(home / "kernel.py")
    file.symlink_to(home / "kernel.py")
    assert install("--uninstall")[0] == 0
    assert (file.is_symlink(), (home / "kernel.py").exists()) == (True, False)


@pytest.mark.parametrize("link", [".", "profile_default", f"profile_default/{FILE}"])
def test_links_that_lead_nowhere(install: Run, home: Path, link: str) -> None:
    """The dry run refuses, too."""
    path = home / "ipython" / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home / "nowhere" / "deep")
    before = tree(home)
    for options in (("--dry-run",), ()):
        status, out, err = install(*options)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert "is a link to" in err
        assert tree(home) == before


def test_other_names_of_the_file_are_the_file(install: Run, home: Path) -> None:
    file = profile_file(home, b"a = 1\n")
    os.link(file, home / "dotfile.py")
    install()
    assert b"ipyext" in (home / "dotfile.py").read_bytes()
    install("--uninstall")
    assert (home / "dotfile.py").read_bytes() == b"a = 1\n"
    assert file.samefile(home / "dotfile.py")


def test_other_profiles(install: Run, home: Path) -> None:
    (home / "ipython" / "profile_work").mkdir(parents=True)
    status, _, err = install("--profile", "play")
    assert (status, "there are: work" in err, "ipython profile create play" in err) == (1, 1, 1)
    assert install("--profile", "work")[0] == 0
    assert (home / "ipython" / "profile_work" / FILE).is_file()
    assert not profile_file(home).exists()
    for wrong in ("../work", ""):
        assert install("--profile", wrong)[0] == 1
    assert not profile_file(home).exists()


def test_a_profile_that_was_deleted_meanwhile(install: Run, home: Path) -> None:
    (home / "ipython" / "profile_work").mkdir(parents=True)
    assert install("--profile", "work")[0] == 0
    shutil.rmtree(home / "ipython" / "profile_work")
    status, out, _ = install("--profile", "work", "--uninstall")
    assert (status, out.startswith("Nothing to do")) == (0, True)


def test_an_environment(install: Run, home: Path, tmp_path: Path) -> None:
    status, _, err = install("--prefix", str(tmp_path / "env"))
    assert (status, "There is no folder" in err) == (1, True)
    (tmp_path / "env").mkdir()
    assert install("--prefix", str(tmp_path / "env"))[0] == 0
    assert (tmp_path / "env" / "etc" / "ipython" / FILE).is_file()
    assert install("--prefix", str(tmp_path / "env"), "--uninstall")[0] == 0
    assert tree(tmp_path / "env") == {}


def test_what_undoes_it_can_be_pasted(install: Run, home: Path, tmp_path: Path) -> None:
    place = tmp_path / "an environment"
    place.mkdir()
    for options in ((), ("--kernelspec", "live")):
        _, out, _ = install(*options, "--prefix", str(place))
        undo = shlex.split(out.split("To undo it: ipyext install ")[1])
        assert install(*undo)[0] == 0
        assert tree(place) == {}


def test_where_profiles_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from IPython.paths import get_ipython_dir

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert not ipython_dir().exists()  # looking makes nothing
    assert str(ipython_dir()) == get_ipython_dir()
    monkeypatch.delenv("IPYTHONDIR")
    assert str(ipython_dir()) == get_ipython_dir()


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (b"c.A.b = \n", "line 1"),
        (b"c.A.b = 1\n\0", f"{FILE}: source code "),
        (b"a = 1\n# >>> ipyext >>> written by\n", "by hand"),
        (b"a = 1\n# <<< ipyext <<<\n", "by hand"),
    ],
)
def test_files_that_cannot_be_edited_safely(
    install: Run, home: Path, found: bytes, what: str
) -> None:
    file = profile_file(home, found)
    status, out, err = install()
    assert (status, out) == (1, "")
    assert str(file) in err
    assert what in err
    assert file.read_bytes() == found


@pytest.mark.parametrize("theirs", ['["other"]', '"other"', "null", "[", ""])
def test_a_json_file_beside_it_does_not_matter(install: Run, home: Path, theirs: str) -> None:
    """Ours are no settings, so whatever counts over settings does not count over them."""
    file = profile_file(home, b"").with_suffix(".json")
    file.write_text(f'{{"IPKernelApp": {{"extensions": {theirs}}}}}')
    status, out, err = install()
    assert (status, "load ipyext when they start" in out, err) == (0, True, "")


# -- kernelspecs -----------------------------------------------------------------------------------


def test_a_kernelspec_comes_and_goes(install: Run, home: Path) -> None:
    status, out, _ = install("--kernelspec", "Live")
    folder = home / "jupyter" / "kernels" / "live"
    assert (status, str(folder) in out, "--kernelspec live --uninstall" in out) == (0, True, True)
    assert (folder / "logo-64x64.png").is_file()
    made = tree(home)
    status, out, _ = install("--kernelspec", "live")
    assert (status, out.startswith("Nothing to do"), tree(home)) == (0, True, made)
    assert install("--kernelspec", "live", "--uninstall")[0] == 0
    assert tree(home) == {}
    assert install("--kernelspec", "live", "--uninstall")[1].startswith("Nothing to do")


def test_what_is_in_the_kernelspec(install: Run, home: Path) -> None:
    _, out, _ = install("--kernelspec", "live", "--display-name", "Lively")
    spec = json.loads((home / "jupyter" / "kernels" / "live" / "kernel.json").read_bytes())
    assert spec["argv"][0] == sys.executable
    assert spec["argv"][-2:] == ["--ext", "ipyext.autoload"]
    assert "{connection_file}" in spec["argv"]
    assert spec["display_name"] == "Lively"
    assert "as 'Lively'" in out
    assert spec["metadata"]["debugger"] is True
    assert spec["kernel_protocol_version"] == "5.5"
    assert "interrupt_mode" not in spec  # as ipykernel: by signal
    install("--kernelspec", "live")  # keeps the name that it was given
    again = json.loads((home / "jupyter" / "kernels" / "live" / "kernel.json").read_bytes())
    assert again == spec


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_two_kernelspecs(install: Run, home: Path, order: tuple[str, str]) -> None:
    """They have names of their own, and the last one takes the folders with it."""
    names = set()
    for name in ("one", "two"):
        install("--kernelspec", name)
        file = home / "jupyter" / "kernels" / name / "kernel.json"
        names.add(json.loads(file.read_bytes())["display_name"])
    assert len(names) == 2
    for name in order:
        assert install("--kernelspec", name, "--uninstall")[0] == 0
    assert tree(home) == {}


def test_the_kernelspec_of_another_environment_is_taken_over(install: Run, home: Path) -> None:
    install("--kernelspec", "live")
    file = home / "jupyter" / "kernels" / "live" / "kernel.json"
    made = file.read_bytes()
    spec = json.loads(made)
    spec["argv"][0] = "/old/python"
    file.write_text(json.dumps(spec))
    assert "it started /old/python" in install("--kernelspec", "live")[1]
    assert file.read_bytes() == made


def test_in_an_environment(install: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    where = ("--kernelspec", "live", "--prefix", str(tmp_path / "env"))
    status, out, _ = install(*where)
    assert (status, "does not look there" in out) == (0, True)
    assert (tmp_path / "env/share/jupyter/kernels/live/kernel.json").is_file()
    assert install(*where, "--uninstall")[0] == 0
    assert (tree(tmp_path / "env"), tree(home)) == ({}, {})


def test_a_name_that_others_have(install: Run, home: Path, tmp_path: Path) -> None:
    folder = home / "jupyter" / "kernels" / "live"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text('{"argv": ["x"], "metadata": {}}')
    before = tree(home)
    status, _, err = install("--kernelspec", "live")
    assert (status, "not written by ipyext" in err) == (1, True)
    status, _, err = install("--kernelspec", "live", "--uninstall")
    assert (status, "jupyter kernelspec remove live" in err) == (1, True)
    assert tree(home) == before


def test_files_that_people_add_to_the_kernelspec_stay(install: Run, home: Path) -> None:
    install("--kernelspec", "live")
    (home / "jupyter/kernels/live/kernel.js").write_text("//")
    status, out, _ = install("--kernelspec", "live", "--uninstall")
    assert (status, "are left" in out) == (0, True)
    assert [path for path, content in tree(home).items() if content is not None] == [
        "jupyter/kernels/live/kernel.js"
    ]


def test_a_mark_that_names_files_elsewhere_is_not_ours(install: Run, home: Path) -> None:
    install("--kernelspec", "live")
    (home / "precious").write_text("")
    file = home / "jupyter" / "kernels" / "live" / "kernel.json"
    spec = json.loads(file.read_bytes())
    spec["metadata"]["ipyext"]["files"].append("../../../precious")
    file.write_text(json.dumps(spec))
    assert install("--kernelspec", "live", "--uninstall")[0] == 1
    assert (home / "precious").exists()


def test_names_that_jupyter_does_not_take(install: Run, home: Path) -> None:
    for name in ("../x", "a b", "", "..", "ä", "-x", "x" * 300):
        for options in ([], ["--dry-run"], ["--uninstall"]):
            status, out, err = install(f"--kernelspec={name}", *options)
            assert (status, out, err.count("\n")) == (1, "", 1)
            assert "cannot be the name of a kernelspec" in err
    assert tree(home) == {}


# -- both ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [(), ("--kernelspec", "live")])
def test_a_dry_run_changes_nothing(install: Run, home: Path, where: tuple[str, ...]) -> None:
    status, out, _ = install(*where, "--dry-run")
    assert (status, "Would create" in out, "Created" in out, tree(home)) == (0, True, False, {})
    install(*where)
    made = tree(home)
    status, out, _ = install(*where, "--uninstall", "--dry-run")
    assert (status, "Would remove" in out, "Removed" in out, tree(home)) == (0, True, False, made)


@pytest.mark.parametrize("where", [("ipython",), ("jupyter", "--kernelspec", "live")])
def test_places_that_cannot_be_written(install: Run, home: Path, where: tuple[str, ...]) -> None:
    (home / where[0]).write_text("a file, where a folder should be")
    status, out, err = install(*where[1:])
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "Nothing was changed" in err
    assert list(tree(home)) == [where[0]]


def test_all_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    changes = [
        MakeFolder(tmp_path / "new"),
        WriteFile(tmp_path / "new" / "file", "", b"content", None),
        WriteFile(tmp_path / "old", "", b"changed", b"old"),
        WriteFile(tmp_path / "missing" / "file", "", b"content", None),
    ]
    with pytest.raises(InstallError, match=r"missing.*Nothing was changed"):
        make(changes)
    assert tree(tmp_path) == {"old": b"old"}


def test_new_files_have_ordinary_rights(install: Run, home: Path) -> None:
    install("--kernelspec", "live")
    umask = os.umask(0)
    os.umask(umask)
    file = home / "jupyter" / "kernels" / "live" / "kernel.json"
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask


def test_it_says_so_if_loading_is_switched_off(
    install: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYEXT_DISABLE", "1")
    assert "IPYEXT_DISABLE is set" in install()[1]
