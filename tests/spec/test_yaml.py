"""YAML that is not what it should be, and what its texts are read as."""

from __future__ import annotations

import pytest

from featuremill.spec.positions import parse_document

AS_TEXT = 'if it is meant as text, write "*b" in quotes'


def said(text: str | bytes) -> list[str]:
    raw = text if isinstance(text, bytes) else text.encode()
    return [str(problem) for problem in parse_document(raw, "f").problems]


def data(text: str) -> object:
    document = parse_document(text.encode(), "f")
    assert document.problems == []
    return document.data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["f:1:1: the file is empty"]),
        ("# only a comment\n", ["f:1:1: the file is empty"]),
        ("- a\n- b\n", ["f:1:1: the file should hold keys and values, not a list"]),
        ("hello\n", ["f:1:1: the file should hold keys and values, not the text `hello`"]),
        ("a: 1\nb: 2\na: 3\n", ["f:3:1: `a` is written twice, first on line 1"]),
        ("a: {x: 1, x: 2}\n", ["f:1:11: `x` is written twice, first on line 1"]),
        ("a:\n\t- b\n", ["f:2:1: a tab; YAML indents with spaces"]),
        ("a: 1\n---\nb: 2\n", ["f:2:1: a second YAML document starts here; write one file a pipeline"]),
        ("a: {landing}/x.csv\n", ["f:1:4: a text that starts with `{` needs quotes"]),
        ("a: @daily\n", ["f:1:4: a text that starts with `@` needs quotes"]),
        ("a: `b`\n", ["f:1:4: a text that starts with ``` needs quotes"]),
        ("a: {count: *}\n", ['f:1:12: `*` needs quotes, write "*"']),
        (
            "a: *b\n",
            ['f:1:4: `*b` refers to an anchor that is not there; if it is meant as text, write "*b" in quotes'],
        ),
        ("a: b: c\n", ["f:1:5: `:` is not expected here; a text with `: ` in it needs quotes; or mind the indent"]),
        ("a: [1, 2\nb: 3\n", ["f:1:4: the bracket `[` is not closed, or a comma is missing inside"]),
        ("a: 'x\nb: 3\n", ["f:1:4: the quote is not closed"]),
        ("a: 1\nb\n", ["f:2:1: this line has no `:` after its key"]),
        ("1: a\n", ['f:1:1: the key `1` is not read as text; write it in quotes: "1"']),
        ("? [a]\n: b\n", ["f:1:3: a key is a text, not a list or mapping; a text that starts with `{` needs quotes"]),
        ("a: !python/name:os.system b\n", ["f:1:4: the tag !python/name:os.system is not known here"]),
        ("a: .nan\nb: 1e999\n", ["f:1:4: `.nan` is not a finite number", "f:2:4: `1e999` is not a finite number"]),
        ("a: &a [*a]\n", ["f:1:4: this anchor contains itself"]),
        ("a: \x00\n", ["f:1:4: the character '\\x00' cannot stand in YAML"]),
        ("[" * 100_000, ["f:1:41: this is nested too deeply"]),
    ],
)
def test_wrong_yaml(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_a_file_that_is_not_utf8() -> None:
    assert said("a: 1\nb: caf\xe9\n".encode("latin-1")) == ["f:2:7: the byte 0xe9 is not UTF-8; save the file as UTF-8"]


def test_a_few_aliases_cannot_stand_for_millions_of_values() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert said("\n".join(lines)) == ["f:1:34: the file has more than 20000 values"]


def test_merge_keys_of_merge_keys_end_too() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9)]
    assert any("more than 20000 values" in problem for problem in said("\n".join(lines)))


def test_words_stay_texts_and_only_true_and_false_are_booleans() -> None:
    text = "a: [y, n, yes, no, on, off, Y, N, 2020-01-01, 12:30:00, 1_000, 0b1, =]"
    assert data(text) == {
        "a": ["y", "n", "yes", "no", "on", "off", "Y", "N", "2020-01-01", "12:30:00", "1_000", "0b1", "="]
    }
    assert data("a: [true, False, null, ~, 1, -2, 0o17, 0x1F, 1.5, .5, 1e3, '1']") == {
        "a": [True, False, None, None, 1, -2, 15, 31, 1.5, 0.5, 1000.0, "1"]
    }


def test_anchors_aliases_and_merge_keys() -> None:
    text = "a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{z: 1}, *a]}\n"
    assert data(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
        "d": {"z": 1, "x": 1, "y": 2},
    }


def test_a_byte_order_mark_is_skipped() -> None:
    assert data("\ufeffa: é") == {"a": "é"}


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("a: one two\n", 4, (1, 8)),
        ("a: 'one two'\n", 4, (1, 9)),
        ('a: "one two"\n', 4, (1, 9)),
        ('a: "o\\tne two"\n', 4, (1, 4)),
        ("a: |\n  one\n  two\n", 5, (3, 4)),
        ("a: >\n  one\n  two\n", 5, (1, 4)),
        ("a: one\n  two\n", 5, (1, 4)),
    ],
)
def test_places_inside_texts(text: str, offset: int, place: tuple[int, int]) -> None:
    assert parse_document(text.encode(), "f").inside(("a",), offset) == place
