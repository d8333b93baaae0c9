"""Column names for a file's headers."""

from __future__ import annotations

import re
import unicodedata

from featuremill.spec.rules.names import OWN_PREFIX, RESERVED_COLUMNS

_VALID = re.compile(r"[a-z_][a-z0-9_-]*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])")


def column_name(header: str) -> str:
    """A header as a column name: `O*NET-SOC Code` is o_net_soc_code, `OccurredFrom` is occurred_from.

    A header that is a column name already stays as it is, hyphens and all, unless the name is reserved. Empty if
    nothing is left of it.
    """
    header = header.strip()
    if _VALID.fullmatch(header):
        return _not_reserved(header)
    plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^a-z0-9]+", "_", _HUMP.sub("_", plain).lower()).strip("_")
    return f"c_{name}" if name[:1].isdigit() else _not_reserved(name)


def _not_reserved(name: str) -> str:
    """The name itself, if the tables and queries do not use it themselves."""
    if name.startswith(OWN_PREFIX):
        name = "_" + name.lstrip("_-")
    return f"c_{name}" if name in RESERVED_COLUMNS else name


def column_names(headers: list[str]) -> list[str]:
    """Different names for all headers; a name that comes again gets a number, an empty one the column's place."""
    names: list[str] = []
    for place, header in enumerate(headers, start=1):
        wanted = column_name(header) or f"column_{place}"
        name, number = wanted, 2
        while name in names:
            name, number = f"{wanted}_{number}", number + 1
        names.append(name)
    return names


def feature_name(column: str) -> str:
    """A column's name as a feature's: without hyphens."""
    return _not_reserved(column.replace("-", "_"))
