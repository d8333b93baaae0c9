from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.errors import ServiceError
from featuremill.services.space import remark, require_space


def test_too_small_a_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    require_space(folder, 1)
    with pytest.raises(ServiceError, match=r"MB are free on the disk of .*there yet, and the services need .* MB"):
        require_space(folder, 2**60)


def test_a_disk_with_room_is_not_blamed(tmp_path: Path) -> None:
    assert remark(tmp_path) == ""
