"""`as_of` against a real Hive metastore: what its LOCATION says is what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.lookup.project import ServedProject
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
from featuremill.warehouse.tables import table_definition
from tests.fixtures_services import Services
from tests.lookup.building import pipeline_of, simple_rows
from tests.lookup.history.published_days import Days
from tests.lookup.rsgi import call


@pytest.mark.slow
def test_published_days(services: Services, tmp_path: Path) -> None:
    pipeline = pipeline_of("rewound")
    days = Days(tmp_path, pipeline)
    for marker, ds in ((1, "2024-01-31"), (2, "2024-02-01")):
        snapshot, scores = simple_rows(200, marker)
        days.publish(ds, [snapshot], [scores], fingerprint=f"{marker:016d}")
    for table in ("snapshot", "predictions"):
        for manifest in days.warehouse.manifests("rewound", table):
            location = days.warehouse.location("rewound", table, manifest.ds, manifest.fingerprint)
            services.catalog.publish(table_definition(pipeline, table, days.warehouse), manifest, location)
    host, port = services.metastore
    environments = tmp_path / "configuration" / "environments"
    environments.mkdir()
    (environments / "local.yaml").write_text(f"metastore: {{host: {host}, port: {port}}}\n")
    assert ServedProject(tmp_path, "local").catalog().days("rewound", "snapshot") == ["2024-01-31", "2024-02-01"]
    service = Service(ServiceSettings(root=str(days.root), project=tmp_path))
    assert call(service, "/v1/rewound/7").json()["features"]["loans"] == 2
    found = call(service, "/v1/rewound/7", query="as_of=2024-01-31").json()
    assert (found["ds"], found["features"]["loans"]) == ("2024-01-31", 1)
    assert call(service, "/v1/rewound/7", query="as_of=2023-01-31").status == 404
    history = call(service, "/v1/rewound/7/history").json()
    assert [entry["features"]["loans"] for entry in history["days"]] == [1, 2]
    # A pipeline that Hive does not know at all is one without that day.
    nothing = ServedProject(tmp_path, "local").catalog().partition("nowhere", "snapshot", "2024-01-31")
    assert nothing is None
