"""Names that become tables and columns are free, and there once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from featuremill.spec.columns import AggregateColumn, FeatureColumn, feature_columns
from featuremill.spec.models import GENERATED_KEY, Aggregate
from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import Problem
from featuremill.spec.rules.check import AS_OF, Check

RESERVED_COLUMNS = frozenset({AS_OF, "ds", GENERATED_KEY})
RESERVED_TABLES = frozenset({"snapshot", "training", "predictions", "model_metrics", "model_events", "drift", "latest"})
SOURCE_TABLES = ("_current", "_quarantine")
"""What is added to a source's name for its other tables."""

OWN_PREFIX = "__"
"""Names that start so are the queries' own."""


def pipeline_is_named_as_its_file(check: Check) -> Iterator[Problem]:
    """So that a name leads to its file."""
    stem, name = PurePath(check.document.file).stem, check.pipeline.pipeline
    if stem != name and not check.is_mended("pipeline"):
        message = f"the pipeline is called `{name}`, and its file `{stem}`"
        yield check.document.problem(("pipeline",), message, f"call the file {name}.yaml, or write `pipeline: {stem}`")


def sources_have_tables_of_their_own(check: Check) -> Iterator[Problem]:
    """No two sources, and no table of the pipeline's own, share a name."""
    for name in check.pipeline.sources:
        path = ("sources", name)
        if name in RESERVED_TABLES or name.startswith(OWN_PREFIX):
            message = f"a source cannot be called `{name}`: the pipeline has a table of that name itself"
            if name.startswith(OWN_PREFIX):
                message = (
                    f"a source cannot be called `{name}`: names that start with {OWN_PREFIX} are used inside queries"
                )
            yield check.document.problem(path, message, "give it another name", at_key=True)
        for ending in SOURCE_TABLES:
            other = name.removesuffix(ending)
            if name.endswith(ending) and other in check.pipeline.sources:
                message = f"the source `{name}` clashes with the table `{name}` of the source `{other}`"
                yield check.document.problem(path, message, "give it another name", at_key=True)


def columns_are_not_reserved(check: Check) -> Iterator[Problem]:
    """No column of a source has a name that its tables use themselves."""
    for name, source in check.pipeline.sources.items():
        for section, columns in (("columns", source.columns), ("derive", source.derive)):
            for column in columns:
                path = ("sources", name, section, column)
                if check.is_open(name) and section == "columns":
                    continue
                if column in RESERVED_COLUMNS or column.startswith(OWN_PREFIX):
                    suggestion = "give it another name"
                    if section == "columns":
                        suggestion += f"; what the file calls it goes into `header: {column}`"
                    message = f"a column cannot be called `{column}`: the name is reserved"
                    yield check.document.problem(path, message, suggestion, at_key=True)


def derived_columns_have_new_names(check: Check) -> Iterator[Problem]:
    """A derived column does not hide a column of the file."""
    for name, source in check.pipeline.sources.items():
        for column in source.derive:
            if column in source.columns:
                message = f"`{column}` is a column of the file already"
                path = ("sources", name, "derive", column)
                yield check.document.problem(path, message, "give the derived column another name", at_key=True)


def keys_are_the_files_own(check: Check) -> Iterator[Problem]:
    """A file is written one way: the models' names for what has a shorter form in files are not keys of it."""
    places = [*(("features", index) for index in range(len(check.pipeline.features))), ("label",), ("entity",)]
    for place in places:
        path: YamlPath = (*place, "source")
        if path in check.document.keys:
            yield check.document.problem(path, "unknown key `source`", "did you mean `from`?", at_key=True)
    for index, block in enumerate(check.pipeline.features):
        for name in block.aggregate:
            for key in ("kind", "argument", "named_by_window"):
                path = ("features", index, "aggregate", name, key)
                if path in check.document.keys:
                    suggestion = "the kind of the aggregate is a key itself, like `mean: amount`"
                    yield check.document.problem(path, f"unknown key `{key}`", suggestion, at_key=True)


def features_are_defined_once(check: Check) -> Iterator[Problem]:
    """Every column of the snapshot and training tables has one meaning, in whatever case it is written."""
    taken = _taken_names(check)
    aggregates: dict[str, Aggregate] = {}
    for column in feature_columns(check.pipeline):
        path = _path_of(check, column)
        key = column.name.lower()
        if isinstance(column, AggregateColumn):
            if aggregates.get(key) is column.aggregate:
                continue  # the same window twice, which another rule says
            aggregates[key] = column.aggregate
        if column.name in RESERVED_COLUMNS or column.name.startswith(OWN_PREFIX):
            message = f"a feature cannot be called `{column.name}`: the name is reserved"
            yield check.document.problem(path, message, "give it another name", at_key=True)
        elif key in taken:
            message = f"the feature `{column.name}` has the name of {taken[key]}"
            yield check.document.problem(path, message, "give it another name", at_key=True)
        else:
            line = check.document.at_key(path)[0]
            taken[key] = f"the feature on line {line}"


def _taken_names(check: Check) -> dict[str, str]:
    """The columns that the tables have besides features -> what they are."""
    pipeline = check.pipeline
    taken = {pipeline.entity.key.lower(): "the entity's key"}
    if pipeline.label is not None:
        taken.setdefault(pipeline.label.column.lower(), "the label's column")
    if pipeline.spine in pipeline.sources:
        taken.setdefault(pipeline.sources[str(pipeline.spine)].key_column.lower(), f"the key of `{pipeline.spine}`")
    return taken


def _path_of(check: Check, column: FeatureColumn) -> YamlPath:
    """The place of a feature: its window if it has several, else its name."""
    if not isinstance(column, AggregateColumn):
        return ("features", column.block, "select", column.name)
    block = check.pipeline.features[column.block]
    name = next(name for name, aggregate in block.aggregate.items() if aggregate is column.aggregate)
    path: YamlPath = ("features", column.block, "aggregate", name)
    if column.aggregate.named_by_window and column.over is not None:
        windows = column.aggregate.over or ()
        return (*path, "over", windows.index(column.over))
    return path


RULES = (
    pipeline_is_named_as_its_file,
    sources_have_tables_of_their_own,
    columns_are_not_reserved,
    derived_columns_have_new_names,
    keys_are_the_files_own,
    features_are_defined_once,
)
