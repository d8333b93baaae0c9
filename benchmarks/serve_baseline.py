"""What is usually put around a booster: Flask, gunicorn, pandas. Nothing is checked, no interval is given.

Run by serve_benchmark.py as `gunicorn serve_baseline:app`, MODEL naming the folder of the same model.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pandas as pd
import xgboost
from flask import Flask, Response, request

app = Flask(__name__)

_folder = Path(os.environ["MODEL"])
_manifest = json.loads((_folder / "model.json").read_bytes())
# All cores, as the endpoint's one worker has.
_booster = xgboost.Booster(params={"nthread": 0})
_booster.load_model(_folder / "model.ubj")
_booster.set_param({"nthread": 0})
_names = [feature["name"] for feature in _manifest["features"]]
_codes = {
    part["feature"]: {label: numbers[0] for label, numbers in part["table"].items()}
    for part in _manifest["preparation"]
    if part["kind"] == "categorical"
}


@app.get("/ping")
def ping() -> str:
    return ""


@app.post("/invocations")
def invocations() -> Response:
    if request.content_type == "text/csv":
        frame = pd.read_csv(io.BytesIO(request.get_data()), header=None, names=_names)
    else:
        frame = pd.DataFrame(request.get_json()["instances"])[_names]
    for name, codes in _codes.items():
        frame[name] = frame[name].map(codes)
    scores = _booster.predict(xgboost.DMatrix(frame))
    if request.content_type == "text/csv":
        return Response("\n".join(map(str, scores)) + "\n", mimetype="text/csv")
    predictions = [{"predicted_label": int(score >= 0.5), "probability": float(score)} for score in scores]
    return Response(json.dumps({"predictions": predictions}), mimetype="application/json")
