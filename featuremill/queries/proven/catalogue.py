"""What is proven: every function, operator, cast and literal that the local engine may evaluate, with its types.

The rooms beside this one add their entries when they are imported; `translation` looks them up. An entry that is not
here, or not with the types at hand, does not get through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

Types = tuple[str, ...]
Signatures = Mapping[Types, str]


@dataclass(frozen=True)
class Entry:
    """One function or operator. `signatures`: argument types -> result type.

    `variadic`: the one type of a signature stands for all arguments, which have been brought to it.
    `notes` say how arguments are limited; `refuses` names rows for which the local engine raises an error although
    Spark has a value (it never gives another value); `aliases` are other names of the same thing.
    """

    name: str
    family: str
    signatures: Signatures
    aliases: Types = ()
    variadic: bool = False
    notes: str = ""
    refuses: str = ""
    refuses_for: tuple[Types, ...] = ()

    def may_refuse(self, types: Types) -> bool:
        """Whether `refuses` speaks of this signature; of all of them if `refuses_for` is empty."""
        return bool(self.refuses) and (not self.refuses_for or types in self.refuses_for)

    def lines(self) -> list[str]:
        """The signatures as people read them: `(double, double) -> double`."""
        return [
            f"({', '.join(types)}{', ...' if self.variadic else ''}) -> {out}" for types, out in self.signatures.items()
        ]


@dataclass(frozen=True, order=True)
class Use:
    """That an expression needs an entry for these argument types."""

    name: str
    types: Types


PROVEN: dict[str, Entry] = {}


def prove(
    name: str,
    family: str,
    signatures: Signatures,
    *,
    aliases: Types = (),
    variadic: bool = False,
    notes: str = "",
    refuses: str = "",
    refuses_for: tuple[Types, ...] = (),
) -> Entry:
    """Put an entry on the list. Raises ValueError for a name that is there already."""
    if name in PROVEN:
        raise ValueError(f"{name} is listed twice")
    entry = Entry(name, family, dict(signatures), aliases, variadic, notes, refuses, refuses_for)
    PROVEN[name] = entry
    return entry


def each(*positions: str | Iterable[str], to: str) -> dict[Types, str]:
    """Every combination of argument types, all with one result type. `"same"` as result: that of the first argument."""
    choices = [(position,) if isinstance(position, str) else tuple(position) for position in positions]
    return {types: types[0] if to == "same" else to for types in product(*choices)}


def proven_functions() -> list[Entry]:
    """All entries, family by family, for documentation and `featuremill plan`."""
    families = list(dict.fromkeys(entry.family for entry in PROVEN.values()))
    return sorted(PROVEN.values(), key=lambda entry: (families.index(entry.family), entry.name))


def all_uses() -> list[Use]:
    """Every entry with every signature; the differential test must meet each of them."""
    return [Use(entry.name, types) for entry in PROVEN.values() for types in entry.signatures]
