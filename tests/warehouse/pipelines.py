"""A pipeline for the tests of this room."""

from __future__ import annotations

from typing import Any

from featuremill.spec.models import Pipeline

CSV = {"kind": "csv", "path": "{landing}/ds={ds}/*.csv"}


def credit_risk(**changes: Any) -> Pipeline:
    """Loans with derived columns and a `where`, and a static table of rates without a key."""
    return Pipeline.model_validate(
        {
            "pipeline": "risk",
            "description": "The risk that a loan goes bad",
            "owner": "risk-team",
            "entity": {"key": "id", "type": "bigint"},
            "sources": {
                "loans": {
                    "connector": CSV,
                    "key": "loan_id",
                    "time": {"column": "granted", "unit": "ms"},
                    "columns": {
                        "loan_id": "bigint",
                        "id": "bigint",
                        "granted": "bigint",
                        "narrowing-diagnosis": {"type": "int", "description": "what the doctor said"},
                        "amount": "double",
                        "status": {"type": "int", "outcome": True},
                    },
                    "derive": {
                        "cents": "cast(amount * 100 as bigint)",
                        "size": {"expression": "if(cents > 10000, 'big', 'small')", "description": "big or small"},
                    },
                    "where": "`narrowing-diagnosis` >= 0",
                },
                "rates": {"connector": CSV, "columns": {"country": "string", "rate": "double"}},
            },
            "features": [
                {
                    "from": "loans",
                    "aggregate": {
                        "nb_loans": {"count": "*", "over": ["1d", "30d"]},
                        "mean_amount": {"mean": "amount", "over": "30d"},
                        "bad": {"count": "*", "where": "status = 1", "known_after": "60d"},
                        "idle": {"since_last": "*"},
                    },
                    "select": {"double_amount": "amount * 2"},
                }
            ],
            "label": {"from": "loans", "column": "status", "task": "binary", "available_after": "60d"},
            **changes,
        }
    )
