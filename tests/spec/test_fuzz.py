"""Whatever is in a file, loading it ends in a pipeline or in problems with places, and never in a traceback."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from featuremill.spec.loading import parse_pipeline
from tests.spec.example import FILES, SHOPS

GOOD = [SHOPS, (FILES / "credit_risk.yaml").read_text(encoding="utf-8")]
TREES: list[Any] = [yaml.safe_load(text) for text in GOOD]

_ODD = """{ } [ ] ( ) : , - ? * & ! | > ' " % @ ` # \t \n ~ null true 5 -1 1e9 .inf y 30d 1% as_of {ds} <<: &a *a
--- ... select rand() -> `a-b` a.b.c ; floor( sum(x) ::int 'open /* customer amount returned big count mean from kind
argument over: where: outcome: key: time: by: column: type: bigint features: sources: entity: label: date
timestamp \x00 \ud7ff é 𝔸 row_key ds __x orders shops ->> current_date user case when in (select"""
odd_texts = st.sampled_from(_ODD.split(" "))
odd_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | odd_texts
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_texts | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def check(text: str | bytes) -> None:
    read = parse_pipeline(text, "shops.yaml")
    lines = (text if isinstance(text, str) else text.decode("utf-8", "replace")).splitlines() or [""]
    assert read.pipeline is not None or any(problem.is_error for problem in read.problems)
    for problem in read.problems:
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.column >= 1
        assert problem.message
        assert "__unknown" not in str(problem), "a placeholder of the loader's own shows"
    if read.pipeline is not None:
        assert read.loaded() is read.pipeline


@st.composite
def damaged_texts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(start + draw(st.integers(0, 12)), len(text))
        text = text[:start] + draw(odd_texts) + text[end:]
    return text


@given(damaged_texts())
@settings(max_examples=200, deadline=None)
def test_damaged_texts(text: str) -> None:
    check(text)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes(raw: bytes) -> None:
    check(raw)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path] * bool(path) + [place for key, value in inner for place in _places(value, (*path, key))]


@st.composite
def damaged_trees(draw: st.DrawFn) -> Any:
    """A good file with some of its values replaced or dropped, or some of its keys called something else."""
    tree = deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(1, 4))):
        places = _places(tree)
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        holder = tree
        for key in path:
            holder = holder[key]
        what = draw(st.sampled_from(["replace", "drop", "rename"]))
        if what == "replace":
            holder[last] = draw(odd_values)
        elif what == "drop":
            del holder[last]
        elif isinstance(holder, dict):
            holder[draw(odd_texts | st.sampled_from([str(last)[:-1], f"{last}s", str(last).upper()]))] = holder.pop(
                last
            )
    return tree


@given(damaged_trees())
@settings(max_examples=150, deadline=None)
def test_damaged_trees(tree: Any) -> None:
    check(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))
    check(json.dumps(tree))


expressions_of_the_example = st.sampled_from(["amount > 100", "floor(months_between(as_of, birthday) / 12)"])


@given(st.lists(odd_texts, max_size=8).map(" ".join), expressions_of_the_example)
@settings(max_examples=200, deadline=None)
def test_damaged_expressions(expression: str, old: str) -> None:
    check(SHOPS.replace(old, json.dumps(expression)))
