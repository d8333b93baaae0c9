"""Time the making of the credit risk tables, beside what a person would write by hand; writes benchmarks/results.md.

    .venv/bin/python benchmarks/run.py                 1x and 10x rows, all four ways, in one run
    .venv/bin/python benchmarks/run.py --scale 1 --repeat 1

Every way starts from the same CSV and ends with a training and a snapshot table in parquet. What is timed is the whole
process, imports included. Featuremill's runs also hash the files, keep rejected lines, check the expectations and
publish in Hive; a metastore runs beside them, and its time and memory are not counted. Needs no network.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import psutil

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
DS = "2020-12-31"
ROWS = 777_715


@dataclass(frozen=True)
class Measured:
    """Wall seconds of each run, and the largest memory of the process and its children in gigabytes."""

    seconds: list[float]
    gigabytes: float


def project(folder: Path, scale: int) -> Path:
    """A project with the sample landed in it; returns the CSV."""
    shutil.copytree(REPOSITORY / "configuration", folder / "configuration")
    featuremill(folder, "sample", "credit_risk", "--rows", str(ROWS * scale))
    return folder / "data" / "landing" / "credit_risk" / "loans" / f"ds={DS}" / "loans.csv"


def featuremill(folder: Path, *arguments: str) -> None:
    subprocess.run([*command(), *arguments, "--project", str(folder)], check=True, stdout=subprocess.DEVNULL)


def command() -> list[str]:
    return [sys.executable, "-m", "featuremill"]


def measure(call: list[str], before: list[Path]) -> tuple[float, float]:
    """Seconds and peak gigabytes of one run; the folders in `before` are removed first."""
    for folder in before:
        shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    _, errors = process.communicate()
    seconds = time.monotonic() - began
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(call)} failed:\n{errors.decode()[-3000:]}")
    return seconds, peak[0] / 1e9


def watch(pid: int, peak: list[int]) -> None:
    """Keep the largest sum of resident memory of a process and its children."""
    try:
        parent = psutil.Process(pid)
        while True:
            total = 0
            for process in (parent, *parent.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total)
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        return


def ways(folder: Path, csv: Path) -> dict[str, tuple[list[str], list[Path]]]:
    """Name -> the command, and what it must not find when it starts."""
    made = [folder / "data" / "warehouse", folder / "data" / "state" / "quality"]
    made += [folder / "data" / "state" / name for name in ("content-hashes.sqlite", "content_hashes.sqlite")]
    run = [*command(), "run", "credit_risk", "--ds", DS, "--project", str(folder)]
    hand, naive = folder / "hand", folder / "naive"
    return {
        "Featuremill, local engine": (run, made),
        "DuckDB by hand": ([sys.executable, str(HERE / "handwritten_duckdb.py"), str(csv), str(hand)], [hand]),
        "Featuremill, Spark": ([*run, "--engine", "spark"], made),
        "Spark, naive script": ([sys.executable, str(HERE / "naive_spark.py"), str(csv), str(naive)], [naive]),
    }


def benchmark(scale: int, repeat: int) -> dict[str, Measured]:
    """The ways in turn, `repeat` times, so that a slow minute of the machine hits all of them."""
    folder = Path(tempfile.mkdtemp(prefix="featuremill-benchmark-"))
    try:
        csv = project(folder, scale)
        featuremill(folder, "services", "start")
        calls = ways(folder, csv)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
        for _ in range(repeat):
            for name, (call, before) in calls.items():
                for path in [path for path in before if path.is_file()]:
                    path.unlink()
                seconds, gigabytes = measure(call, before)
                found[name].append((seconds, gigabytes))
                print(f"{scale}x  {name:<28} {seconds:7.1f} s  {gigabytes:5.2f} GB", flush=True)
        return {name: Measured([s for s, _ in runs], max(g for _, g in runs)) for name, runs in found.items()}
    finally:
        featuremill(folder, "services", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def machine() -> str:
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{cores} cores, {memory:.0f} GiB of memory, {system}"


def report(results: dict[int, dict[str, Measured]]) -> str:
    scales = sorted(results)
    names = list(results[scales[0]])
    head = " | ".join(f"{ROWS * scale:,} rows | peak memory" for scale in scales)
    lines = [f"| | {head} |", "|---|" + "---:|---:|" * len(scales)]
    for name in names:
        cells = []
        for scale in scales:
            one = results[scale][name]
            cells.append(f"{median(one.seconds):.1f} s | {one.gigabytes:.1f} GB")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    runs = len(results[scales[0]][names[0]].seconds)
    lines += [
        "",
        f"Median of {runs} run{'s' if runs > 1 else ''} each, in turn, whole processes; {machine()}; {date.today()}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the credit risk tables on both engines and by hand.")
    parser.add_argument(
        "--scale", type=int, action="append", help=f"times {ROWS:,} rows; repeatable (default: 1 and 10)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each way (default: 3)")
    parser.add_argument("--out", type=Path, default=HERE / "results.md", help="where the table goes")
    options = parser.parse_args()
    results = {scale: benchmark(scale, options.repeat) for scale in options.scale or [1, 10]}
    options.out.write_text(report(results))
    print(options.out.read_text())


if __name__ == "__main__":
    main()
