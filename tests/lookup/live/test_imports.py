"""What plain lookups do not need is not loaded: a worker stays small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("pyarrow", "numpy", "duckdb", "boto3", "botocore", "thrift", "redis", "xgboost", "pyspark", "granian")


def test_a_service_of_a_project_loads_none_of_it(project: Path) -> None:
    code = f"""
import sys
from featuremill.lookup.history import extension as history
from featuremill.lookup.live import extension as live
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
service = Service(ServiceSettings(root={str(project / "online")!r}))
service.settings = service.settings.model_copy(update={{"project": {str(project)!r}}})
history.extend(service)
live.extend(service)
assert {{"live", "explain", "as_of"}} <= set(service.routes.options), service.routes.options
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
