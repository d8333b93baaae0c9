"""The zips that `scripts/package_lambda.sh` makes, unpacked, in a fresh interpreter that sees nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.lookup.lambda_.gateway import http, rest
from tests.lookup.live.fake_sagemaker import FakeSageMaker

REPOSITORY = Path(__file__).resolve().parents[3]
MOST_BYTES = 250 * 1024 * 1024

_INVOKE = """
import json, sys
sys.path[:0] = [sys.argv[1]]
from featuremill.lookup.lambda_ import handlers
answers = [getattr(handlers, sys.argv[2])(event, None) for event in json.load(sys.stdin)]
outside = [m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None) and "site-packages" in m.__file__]
print(json.dumps({"answers": answers, "outside": outside, "modules": list(sys.modules)}))
"""


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zips")
    if not (REPOSITORY / ".venv/bin/uv").exists():
        pytest.skip("the zips are made with .venv/bin/uv")
    command = [str(REPOSITORY / "scripts/package_lambda.sh"), "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    if done.returncode and "Failed to fetch" in done.stderr:
        pytest.skip(f"no package index can be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return folder


def invoke(zips: Path, name: str, folder: Path, variables: dict[str, str], events: list[dict[str, Any]]) -> Any:
    target = folder / name
    with zipfile.ZipFile(zips / f"{name}.zip") as archive:
        archive.extractall(target)
    command = [sys.executable, "-I", "-S", "-c", _INVOKE, str(target), name]
    done = subprocess.run(
        command, input=json.dumps(events), env=variables, cwd=target, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["outside"] == [], "only what is in the zip is used"
    shutil.rmtree(target)
    return said


@pytest.mark.slow
def test_features(zips: Path, tmp_path: Path, project: Path) -> None:
    variables = {"FEATUREMILL_LOOKUP_ROOT": str(project / "online")}
    many = rest("/v1/credit_risk/lookup", method="POST", document={"ids": [1, 2, 99]})
    said = invoke(zips, "features", tmp_path, variables, [http("/v1/credit_risk/1"), many, rest("/v1/credit_risk/99")])
    one, several, unknown = said["answers"]
    assert (one["statusCode"], json.loads(one["body"])["features"]["age"]) == (200, 40)
    assert (several["statusCode"], json.loads(several["body"])["found"]) == (200, 2)
    assert unknown["statusCode"] == 404
    assert not {"pyarrow", "duckdb", "xgboost", "pyspark", "granian", "numpy"} & set(said["modules"])


@pytest.mark.slow
def test_predictions(zips: Path, tmp_path: Path, project: Path, sagemaker: FakeSageMaker) -> None:
    variables = {
        "FEATUREMILL_LOOKUP_ROOT": str(project / "online"),
        "FEATUREMILL_LOOKUP_PROJECT": str(project),
        "FEATUREMILL_LOOKUP_ENVIRONMENT": "local",
        "FEATUREMILL_LOOKUP_LIVE_TIMEOUT_MS": "5000",
    }
    values = {"id": 1, "values": {"granted": "15.06.2024", "birthday": "01.01.2000"}}
    predict = rest("/v1/credit_risk/predict", "explain=true", "POST", values)
    said = invoke(zips, "predictions", tmp_path, variables, [http("/v1/credit_risk/1"), predict])
    live, predicted = said["answers"]
    assert json.loads(live["body"])["live"] is True, live
    assert predicted["statusCode"] == 200, predicted
    assert json.loads(predicted["body"])["features"]["age"] == 24
    assert not {"xgboost", "pyspark", "granian", "sklearn", "pandas"} & set(said["modules"])


@pytest.mark.slow
def test_what_is_in_them(zips: Path) -> None:
    for name in ("features", "predictions"):
        with zipfile.ZipFile(zips / f"{name}.zip") as archive:
            infos = archive.infolist()
        assert sum(info.file_size for info in infos) <= MOST_BYTES
        tops = {info.filename.split("/")[0] for info in infos}
        assert not tops & {"xgboost", "pyspark", "granian", "sklearn", "pandas", "great_expectations", "tests"}
        assert {"featuremill", "lmdb", "orjson", "redis", "boto3"} <= tops
