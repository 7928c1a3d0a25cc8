"""What the pictures of the documentation show can be seen today."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Open
from tests.lab.screenshots import IMAGES, PICTURES


@pytest.mark.parametrize("name", PICTURES)
def test_shows(notebook: Open, name: str) -> None:
    show, cells = PICTURES[name]
    show(notebook(*cells))


def test_each_was_taken() -> None:
    assert {path.stem for path in IMAGES.glob("*.png")} == PICTURES.keys()
