"""Expressions that the local engine may evaluate: proven equal to Spark, function by function, by property tests."""

from __future__ import annotations

# Each of these rooms puts its entries on the list when it is imported.
from featuremill.queries.proven import (  # noqa: F401
    arithmetic,
    arrays,
    casts,
    comparisons,
    conditionals,
    dates,
    letter_case,
    literals,
    mathematics,
    patterns,
    strings,
    timestamps,
)
from featuremill.queries.proven.catalogue import Entry, Use, proven_functions
from featuremill.queries.proven.markdown import render_markdown
from featuremill.queries.proven.pieces import NotProven
from featuremill.queries.proven.translation import Translation, translate

__all__ = ["Entry", "NotProven", "Translation", "Use", "proven_functions", "render_markdown", "translate"]
