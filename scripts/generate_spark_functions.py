"""Write featuremill/spec/spark_functions.json: what Spark's built-in SQL functions are called and take.

Run it after an upgrade of pyspark, and commit the file; a test compares it with the pyspark that is installed:

    python scripts/generate_spark_functions.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

CATALOGUE = Path(__file__).resolve().parent.parent / "featuremill" / "spec" / "spark_functions.json"

MOST_ARGUMENTS = 12
"""Argument counts 0 to this are tried; a function that takes this many takes any number."""

_KINDS = {"agg_funcs": "aggregate", "window_funcs": "window", "generator_funcs": "generator"}


def spark_functions(session: SparkSession) -> dict[str, Any]:
    """{spark: version, functions: {name: {kind, arguments: counts}}}, sorted by name.

    `kind` is scalar, aggregate, window, generator or random (a scalar that is not deterministic). Functions that make
    tables (`range`) and operators that have no name (`+`) are left out. `arguments` is left out where Spark's registry
    does not tell: syntax such as `cast(x as int)`.
    """
    jvm: Any = session._jvm
    null = session._jsparkSession.sessionState().sqlParser().parseExpression("null")
    registry = jvm.org.apache.spark.sql.catalyst.analysis.FunctionRegistry.builtin()
    functions: dict[str, Any] = {}
    for row in session.sql("show system functions").collect():
        name = row[0].removeprefix("system.builtin.")
        identifier = jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name)
        info = registry.lookupFunction(identifier)
        if not name.isidentifier() or info.isEmpty():
            continue
        counts, deterministic = _accepted(jvm, registry, identifier, null)
        kind = _KINDS.get(info.get().getGroup(), "scalar")
        functions[name] = {"kind": kind if deterministic or kind != "scalar" else "random"}
        if counts:
            functions[name]["arguments"] = _arguments(counts)
    return {"spark": session.version, "functions": dict(sorted(functions.items()))}


def _accepted(jvm: Any, registry: Any, identifier: Any, null: Any) -> tuple[list[int], bool]:
    """The argument counts for which the registry builds the function, and whether what it built is deterministic."""
    counts, deterministic = [], True
    for count in range(MOST_ARGUMENTS + 1):
        arguments = jvm.java.util.ArrayList()
        for _ in range(count):
            arguments.add(null)
        children = jvm.scala.jdk.javaapi.CollectionConverters.asScala(arguments).toSeq()
        try:
            built = registry.lookupFunction(identifier, children)
            deterministic = deterministic and _is_deterministic(built)
            built.checkInputDataTypes()
        except Exception as error:
            if any(code in str(error) for code in ("WRONG_NUM_ARGS", "REQUIRED_PARAMETER_NOT_FOUND")):
                continue  # other errors are about nulls as arguments, not about how many
        counts.append(count)
    return counts, deterministic


def _is_deterministic(expression: Any) -> bool:
    try:
        return bool(expression.deterministic())
    except Exception:  # what cannot tell before it is analysed is not one of the random functions
        return True


def _arguments(counts: list[int]) -> list[int | None]:
    """The counts themselves; or the fewest and null, where any greater number will do."""
    return [min(counts), None] if max(counts) == MOST_ARGUMENTS else list(counts)


def as_json(catalogue: dict[str, Any]) -> str:
    """One function a line, so that a change of Spark's reads well as a diff."""
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(what)}" for name, what in catalogue["functions"].items())
    return f'{{\n  "spark": {json.dumps(catalogue["spark"])},\n  "functions": {{\n{lines}\n  }}\n}}\n'


def main() -> None:
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    try:
        CATALOGUE.write_text(as_json(spark_functions(session)), encoding="utf-8")
    finally:
        session.stop()


if __name__ == "__main__":
    main()
