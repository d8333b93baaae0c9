"""Images files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.images import OWN, Image, Images, ImagesFileError, read_images


def test_the_first_pattern_that_fits_is_taken_and_else_our_own(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"*/fake:*": {"serve": ["{python}", "-m", "fake"], "environment": {"A": "1"}}}))
    images = read_images(file)
    assert images.find("host/fake:1") == Image("*/fake:*", (), (sys.executable, "-m", "fake"), {"A": "1"})
    assert images.find("anything") == OWN == read_images(None).find("anything")
    with pytest.raises(ApiError, match="no programs are configured for the image x"):
        Images(()).find("x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ([], "object of patterns"),
        ({"a": {"train": "x"}}, "a: train must be"),
        ({"a": {"t": []}}, "takes train"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    file = tmp_path / "images.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ImagesFileError, match=message):
        read_images(file)
