"""The listing of keys against the obvious way: all of them, sorted, then filtered."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from featuremill.sagemaker_local.buckets import Buckets

names = st.text("ab-.0/é", min_size=1, max_size=6)


def usable(keys: list[str]) -> list[str]:
    """Keys that can be files side by side."""
    kept: list[str] = []
    for key in keys:
        parts = key.split("/")
        if any(part in ("", ".", "..") for part in parts):
            continue
        clash = any(other == key or other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in kept)
        if not clash:
            kept.append(key)
    return kept


@settings(max_examples=150, deadline=None)
@given(keys=st.lists(names, max_size=12), prefix=st.text("ab-./é", max_size=3), after=st.text("ab-./é", max_size=4))
def test_keys_are_those_with_the_prefix_after_the_start_in_order(keys: list[str], prefix: str, after: str) -> None:
    kept = usable(keys)
    with tempfile.TemporaryDirectory() as folder:
        buckets = Buckets(Path(folder) / "buckets", Path(folder) / "temporary")
        buckets.create("bucket")
        for key in kept:
            buckets.place(buckets.temporary_file(), "bucket", key)
        expected = sorted((key for key in kept if key.startswith(prefix) and key > after), key=str.encode)
        assert list(buckets.keys("bucket", prefix, after)) == expected
        for key in kept:
            buckets.remove("bucket", key)
        assert list((Path(folder) / "buckets" / "bucket").iterdir()) == []
