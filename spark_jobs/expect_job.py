"""spark-submit spark_jobs/expect_job.py --job job.json --report report.json"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    # spark-submit puts this file's folder on the path, not the one that the packages lie in.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from featuremill.steps.jobs import ExpectJob
    from spark_jobs.engine import SparkEngine
    from spark_jobs.main import run_job

    return run_job("Check the expectations of one landing's typed rows.", ExpectJob, SparkEngine.expect)


if __name__ == "__main__":
    sys.exit(main())
