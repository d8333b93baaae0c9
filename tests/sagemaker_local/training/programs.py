"""Small programs that stand in for a training image: each obeys the container contract, or breaks it in one way."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

_HEAD = """
import json, os, pathlib, signal, sys, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
config = lambda name: json.loads((base / "input/config" / f"{name}.json").read_text())
host = config("resourceconfig")["current_host"]
channels = {p.name: sorted(f.relative_to(p).as_posix() for f in p.rglob("*") if f.is_file())
            for p in (base / "input/data").glob("*")} if (base / "input/data").exists() else {}
"""

_PROGRAMS = {
    "good": """
        print("[1] train-loss:0.9 validation-auc:0.6", flush=True)
        print("[2] train-loss:0.5 validation-auc:0.8", file=sys.stderr, flush=True)
        (base / "model/model.json").write_text("the model")
        (base / f"model/{host}.json").write_text(host)
        (base / f"output/data/{host}.json").write_text(json.dumps({
            "channels": channels, "hyperparameters": config("hyperparameters"), "resources": config("resourceconfig"),
            "inputs": config("inputdataconfig"), "environment": dict(os.environ), "arguments": sys.argv[1:],
        }))
        """,
    "failing": """
        (base / "output/data/partial.txt").write_text("so far")
        if host == "algo-1":
            (base / "output/failure").write_text("the column 'age' is missing" + "!" * 3000)
            sys.exit(3)
        time.sleep(600)
        """,
    "dying": """
        print("about to die", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    "long": """
        def end(*_):
            (base / "model/model.json").write_text("saved when asked to stop")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        print("begun", flush=True)
        for _ in range(6000):
            time.sleep(0.1)
        """,
    "stubborn": """
        import subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        print(f"pids {os.getpid()} {child.pid}", flush=True)
        time.sleep(600)
        """,
    "counting": """
        file = base / "checkpoints/round.txt"
        begin = int(file.read_text()) if file.exists() else 0
        print(f"begins at {begin}", flush=True)
        last = int(config("hyperparameters").get("rounds", 100))
        for number in range(begin, last):
            (base / "checkpoints/new").write_text(str(number + 1))
            os.replace(base / "checkpoints/new", file)
            time.sleep(0.1)
        (base / "model/model.json").write_text(f"{begin} {last}")
        """,
}


def programs(folder: Path) -> dict[str, Any]:
    """An images file's contents; the scripts go into `folder`. The image `good` is the URI "good", and so on."""
    folder.mkdir(exist_ok=True)
    images: dict[str, Any] = {}
    for name, text in _PROGRAMS.items():
        script = folder / f"{name}.py"
        script.write_text(_HEAD + dedent(text))
        images[name] = {"train": [sys.executable, "-S", str(script)], "environment": {"FROM_IMAGE": name}}
    images["serving-only"] = {"serve": ["true"]}
    return images
