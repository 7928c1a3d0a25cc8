"""Which places no code comes by."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipyext.debug import reach

FILES = {
    "code.py": "x = 1\n\ny = 2\n",
    "late.py": "# a comment\n\n   # another\nx = 1\n",
    "text.py": '"""Words.\n\nMore."""\n',
    "magic.py": "%%time\nx = 1\n",
    "wrong.py": "x = (\n",
    "script": "#!/usr/bin/env python\nx = 1\n",
    "passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "bytes": b"\xff\xfe\x00",
    "empty.py": "",
}
NO_CODE = "No code is at line {} or before it."


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        *(("code.py", line, None) for line in (1, 2, 3, 99)),
        *(("late.py", line, NO_CODE) for line in (-1, 0, 1, 2, 3)),
        *(("late.py", line, None) for line in (4, 5)),
        ("text.py", 2, None),
        ("magic.py", 1, None),
        ("wrong.py", 1, None),  # it may be mended
        ("script", 2, None),
        ("script", 1, NO_CODE),
        ("passwd", 1, "{} is no Python file."),
        ("bytes", 1, "{} is no Python file."),
        ("empty.py", 3, NO_CODE),
        (".", 1, "{} is no file."),
        ("missing.py", 1, None),  # debugpy says so
    ],
)
def test_never(tmp_path: Path, name: str, line: int, why: str | None) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    path = str(tmp_path / name)
    expected = why and why.format(line if why is NO_CODE else path)
    assert reach.never(path, line) == expected


def test_what_is_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1, 2\n" * 400_000)
    assert (
        reach.never(str(tmp_path / "data.csv"), 1) == f"{tmp_path / 'data.csv'} is no Python file."
    )


def test_same_file(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("")
    (tmp_path / "other.py").write_text("")
    (tmp_path / "link.py").symlink_to("code.py")
    code, other, link = (str(tmp_path / name) for name in ("code.py", "other.py", "link.py"))
    assert reach.same_file(code, link)
    assert not reach.same_file(code, other)
    assert reach.same_file("<cell>", "<cell>")
    assert not reach.same_file("<cell>", code)
    assert not reach.same_file("\0", code)


@pytest.mark.parametrize("name", ["<string>", "<ipython-input-1-abc>", "\0.py", ""])
def test_what_is_no_file(name: str) -> None:
    assert reach.never(name, 1) is None
