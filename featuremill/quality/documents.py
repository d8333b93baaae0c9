"""The results as JSON for programs and as Great Expectations' Data Docs page for people.

The page is made by Great Expectations' renderer. Its template fetches style sheets and scripts from public CDNs, which
a machine without network cannot, and which would tell others what is being checked; so those are taken out, and a
small style sheet and script of this project's own are put in. The page is one file that opens anywhere.
"""

from __future__ import annotations

import copy
import html
import json
import re
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from featuremill.quality import gx
from featuremill.steps.jobs import ExpectJob

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

PAGE, RESULTS = "index.html", "validation.json"

_FETCHED = re.compile(
    r"""<link[^>]*href="[^"]*"[^>]*>|<script[^>]*src="[^"]*"[^>]*>\s*</script>"""
    r"""|<nav\ class="navbar\ navbar-expand-md.*?</nav>\s*</div>\s*</nav>|<footer>.*?</footer>"""
    r"""|<script>\s*try\s*\{.*?</script>|background:\s*url\([^)]*\)[^;]*;""",
    re.DOTALL | re.VERBOSE,
)
_FILTER = re.compile(r"<script>\s*function showAllValidations\(\).*?</script>", re.DOTALL)
_FILTER_SCRIPT = """<script>
function filterRows(hide) {
  document.querySelectorAll("i.fa-check-circle").forEach(icon => {
    const row = icon.closest("table.table > tbody > tr");
    if (row) row.hidden = hide;
  });
}
function showAllValidations() { filterRows(false); }
function hideSucceededValidations() { filterRows(true); }
</script>"""


def run_meta(job: ExpectJob) -> dict[str, Any]:
    """What was checked and when, as Great Expectations keeps it."""
    module = gx.load()
    from great_expectations.core import RunIdentifier

    run = RunIdentifier(run_name=f"{job.pipeline}.{job.source_name} {job.ds}", run_time=datetime.now(UTC))
    return {
        "great_expectations_version": module.__version__,
        "run_id": run,
        "active_batch_definition": {
            "datasource_name": job.pipeline,
            "data_asset_name": f"{job.pipeline}.{job.source_name} {job.ds}",
            "batch_identifiers": {"ds": job.ds},
        },
        "batch_spec": {"data_asset_name": f"{job.source_name}, landing of {job.ds}", "path": job.typed_dir},
    }


def write_documents(result: ExpectationSuiteValidationResult, folder: str) -> tuple[str, str]:
    """Write both files into `folder` (a path or a URI), creating it. Answers the addresses of JSON and page."""
    from pyarrow import fs

    filesystem, path = fs.FileSystem.from_uri(folder)
    filesystem.create_dir(path, recursive=True)
    texts = {RESULTS: results_json(result), PAGE: render_page(result)}
    for name, text in texts.items():
        with filesystem.open_output_stream(f"{path}/{name}") as stream:
            stream.write(text.encode("utf-8"))
    return f"{folder.rstrip('/')}/{RESULTS}", f"{folder.rstrip('/')}/{PAGE}"


def results_json(result: ExpectationSuiteValidationResult) -> str:
    plain = result.to_json_dict()  # type: ignore[no-untyped-call]
    return json.dumps(plain, indent=1, default=_plain, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """NumPy's numbers and truth values, which GX's own conversion leaves in."""
    return value.item() if hasattr(value, "item") else str(value)


def render_page(result: ExpectationSuiteValidationResult) -> str:
    """The Data Docs page of one validation: self-contained, nothing fetched."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    document = ValidationResultsPageRenderer(run_info_at_end=True).render(_escaped(result))
    page: str = DefaultJinjaPageView().render(document)  # type: ignore[no-untyped-call]
    style = resources.files("featuremill.quality").joinpath("documents.css").read_text(encoding="utf-8")
    page = _FILTER.sub(lambda _: _FILTER_SCRIPT, _FETCHED.sub("", page))
    page = re.sub(r"<a\b(?![^>]*href=\"#)[^>]*>(.*?)</a>", r"\1", page, flags=re.DOTALL)
    return page.replace("</head>", f"<style>\n{style}</style>\n</head>", 1)


def _escaped(result: ExpectationSuiteValidationResult) -> ExpectationSuiteValidationResult:
    """Great Expectations' templates print values as they are; values come from raw files, so they are escaped here."""
    escaped = copy.deepcopy(result)
    for one in escaped.results:
        one.result = _escape(one.result)
        if one.expectation_config is not None:
            kwargs = one.expectation_config.kwargs
            condition = {key: kwargs[key] for key in ("row_condition",) if key in kwargs}  # read back as an object
            one.expectation_config.kwargs = _escape(kwargs) | condition
    return escaped


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {key: _escape(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_escape(part) for part in value)
    return value
