"""Random expressions put together from what is admitted."""

from __future__ import annotations

import random

from featuremill.queries.proven.catalogue import PROVEN, Types
from tests.queries.proven.cases import TEMPLATES
from tests.queries.proven.rows import TYPES

_LEAVES = {
    kind: [name for name, other in TYPES.items() if other == kind and name[0] in "bkmysdt"]
    for kind in set(TYPES.values())
}
_LITERALS = {
    "boolean": ["true", "false"],
    "int": ["0", "1", "-1", "12", "365"],
    "bigint": ["2L", "3000000000"],
    "double": ["0.5D", "-2.5D", "1e3"],
    "string": ["'a'", "''", "'😀b'"],
    "date": ["date'2020-02-29'", "date'1969-12-31'"],
    "timestamp": ["timestamp'2020-02-29 12:30:00'"],
}
_MORE = {
    "boolean": ["{string} like '%a%'", "{string} rlike '^[a-c]+$'", "{date} >= '2020-02-29'", "{int} in (1, 2, {int})"],
    "int": ["cast({boolean} as int)", "cast({double} as int)", "extract(month from {timestamp})", "{int} % 7",
            "pmod({int}, 5)"],
    "bigint": ["cast({timestamp} as bigint)", "timestampdiff(day, {date}, {timestamp})", "{int} div 3",
            "floor({double} * 200)"],
    "double": ["{double} / 12", "{int} / {int}", "round({double}, 2)", "cast(numbers as double)",
            "{double} * 0.1 + {int}"],
    "string": ["cast({int} as string)", "substring({string}, 2, 3)", "concat({string}, ':', {bigint})",
            "lpad({string}, 5)", "split({string}, ',')[0]"],
    "date": ["to_date({timestamp})", "trunc({date}, 'MM')", "{date} - interval 30 days", "cast({timestamp} as date)",
            "{date} + interval 1 month"],
    "timestamp": ["{timestamp} - interval 30 days", "date_trunc('hour', {timestamp})", "cast({date} as timestamp)",
            "{timestamp} + interval 1 month", "timestampadd(day, 1, {timestamp})"],
}  # fmt: skip


def _choices() -> dict[str, list[tuple[str, Types]]]:
    """Result type -> (template, argument types) of every entry that has one."""
    found: dict[str, list[tuple[str, Types]]] = {kind: [] for kind in _LITERALS}
    for entry in PROVEN.values():
        for types, result in entry.signatures.items():
            kinds = types * 3 if entry.variadic or entry.name in ("nullif", "between", "in") else types
            texts = entry.name == "to_date" and types == ("string",)
            if result in found and kinds and set(kinds) <= set(_LITERALS) and entry.name != "column" and not texts:
                found[result] += [(template, kinds) for template in TEMPLATES.get(entry.name, [])]
    return found


def nested(seed: int, number: int, depth: int = 3) -> list[str]:
    """That many expressions of every type, the same ones for the same seed."""
    rng, choices = random.Random(seed), _choices()

    def grow(kind: str, left: int) -> str:
        chance = rng.random()
        if left == 0 or chance < 0.15:
            return rng.choice(_LEAVES[kind] if rng.random() < 0.8 else _LITERALS[kind])
        if chance < 0.4:
            text = rng.choice(_MORE[kind])
            for other in _LITERALS:
                while f"{{{other}}}" in text:
                    text = text.replace(f"{{{other}}}", f"({grow(other, left - 1)})", 1)
            return text
        template, kinds = rng.choice(choices[kind])
        return template.format(*(f"({grow(other, left - 1)})" for other in kinds))

    return [grow(rng.choice(list(_LITERALS)), depth) for _ in range(number)]
