"""Which rows are the training rows, and how other rows are matched to them."""

from __future__ import annotations

from collections.abc import Iterator

from featuremill.spec.models import GENERATED_KEY, FeatureBlock, has_entity
from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import Problem, a, did_you_mean
from featuremill.spec.rules.check import Check


def entity_is_somewhere(check: Check) -> Iterator[Problem]:
    """At least one source has the entity's column."""
    key = check.pipeline.entity.key
    sources = check.pipeline.sources
    if any(has_entity(check.pipeline, name) or check.is_open(name) for name in sources):
        return
    if check.is_mended("entity", "key") or check.is_lost(key):
        return
    if any(key in source.derive for source in sources.values()):
        suggestion = f"`{key}` is derived, and a lookup needs a column of the file"
    elif key == GENERATED_KEY:
        suggestion = "a source has it if it names no key"
    else:
        columns = [column for source in sources.values() for column in source.columns]
        suggestion = did_you_mean(key, columns) or "a lookup finds rows by it"
    yield check.document.problem(("entity", "key"), f"no source has the column `{key}` of the entity", suggestion)


def entity_source_can_be_spine(check: Check) -> Iterator[Problem]:
    """The entity's `from` is a source whose rows are events of the entity."""
    entity, label = check.pipeline.entity, check.pipeline.label
    if entity.source is None:
        return
    path: YamlPath = ("entity", "from")
    if label is not None and label.source != entity.source:
        message = f"training rows cannot come from both `{entity.source}` and the label's source `{label.source}`"
        yield check.document.problem(path, message, "leave `from` out here: the label's source gives the training rows")
        return
    yield from unfit_spine(check, entity.source, path, "the entity's `from`")


def unfit_spine(check: Check, source: str, path: YamlPath, what: str) -> Iterator[Problem]:
    """Why the rows of a source cannot be the training rows."""
    if source not in check.pipeline.sources:
        if not check.is_lost(source):
            suggestion = did_you_mean(source, check.pipeline.sources)
            yield check.document.problem(path, f"unknown source `{source}`", suggestion)
        return
    if not check.may_be_timed(source):
        message = f"{what} needs a source with a time, and `{source}` has none"
        yield check.document.problem(path, message, f"add `time: ...` to `{source}`, the column of the event's time")
    if not check.may_have_entity(source):
        message = (
            f"{what} needs a source with the entity's column `{check.pipeline.entity.key}`, and `{source}` has none"
        )
        yield check.document.problem(path, message)


def spine_is_clear(check: Check) -> Iterator[Problem]:
    """Where several sources could give the training rows, the file says which one does."""
    pipeline = check.pipeline
    if pipeline.label is not None or pipeline.entity.source is not None:
        return
    if check.is_mended("label") or check.is_mended("entity", "key") or check.is_mended("entity", "from"):
        return
    able = [name for name in pipeline.sources if not pipeline.sources[name].is_static and check.may_have_entity(name)]
    if len(able) > 1:
        names = ", ".join(f"`{name}`" for name in able)
        message = f"which source gives the training rows? {names} all have a time and the entity"
        suggestion = f"write `entity: {{key: {pipeline.entity.key}, type: {pipeline.entity.type}, from: {able[0]}}}`"
        yield check.document.problem(("entity",), message, suggestion, at_key=True)


def blocks_can_be_matched(check: Check) -> Iterator[Problem]:
    """Rows of a feature block find their training row: by the entity, or by a column that both sources have."""
    for index, block in enumerate(check.pipeline.features):
        if block.source not in check.pipeline.sources:
            continue
        if block.by is None:
            if not check.may_have_entity(block.source):
                message = (
                    f"`{block.source}` has no column `{check.pipeline.entity.key}` to match its rows to the entity"
                )
                suggestion = "say with `by: ...` on which column they are matched"
                yield check.document.problem(("features", index, "from"), message, suggestion)
        else:
            yield from _unmatched(check, index, block, block.by)


def _unmatched(check: Check, index: int, block: FeatureBlock, by: str) -> Iterator[Problem]:
    path: YamlPath = ("features", index, "by")
    spine = check.pipeline.spine
    if spine is None:
        if not check.mended:
            message = f"rows cannot be matched by `{by}`: the pipeline has no training rows to match them to"
            yield check.document.problem(path, message, "it needs a source with a time and the entity")
        return
    for source in dict.fromkeys((block.source, spine)):
        if source not in check.pipeline.sources or check.is_open(source) or check.is_lost(by):
            continue
        if by not in check.all_columns(source):
            which = "" if source == block.source else ", whose rows are the training rows"
            message = f"`{by}` is not a column of `{source}`{which}"
            yield check.document.problem(path, message, did_you_mean(by, check.all_columns(source)))
        elif source == spine and by in check.outcomes(source):
            message = f"rows cannot be matched by `{by}`: it is an outcome of `{source}`, known only after the event"
            yield check.document.problem(path, message)
    if spine in check.pipeline.sources:
        mine, theirs = check.type_of(block.source, by), check.type_of(spine, by)
        if mine is not None and theirs is not None and mine != theirs:
            message = f"`{by}` is {a(mine)} in `{block.source}`, and {a(theirs)} in `{spine}`"
            yield check.document.problem(path, message, "rows are matched by columns of the same type")


RULES = (entity_is_somewhere, entity_source_can_be_spine, spine_is_clear, blocks_can_be_matched)
