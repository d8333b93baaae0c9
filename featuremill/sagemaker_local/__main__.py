"""`python -m featuremill.sagemaker_local --root DIR --port N`: run the local SageMaker."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from featuremill.sagemaker_local.images import ImagesFileError, read_images
from featuremill.sagemaker_local.server import ServerError, run


def main() -> int:
    """The program; returns its exit code: 2 for what was asked wrongly, 1 if it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m featuremill.sagemaker_local", description="A local SageMaker.")
    parser.add_argument("--root", type=Path, required=True, help="folder of the state: buckets, jobs, logs")
    parser.add_argument("--port", type=int, default=4566, help="0: any free one, written to ROOT/port (default 4566)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--images", type=Path, help="JSON file: the programs of images, by pattern of their URI")
    parser.add_argument("--region", default="us-east-1", help="region of all ARNs (default us-east-1)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        run(arguments.root, arguments.host, arguments.port, read_images(arguments.images), arguments.region)
    except ImagesFileError as error:
        print(error, file=sys.stderr)
        return 2
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    # A request that still hangs in one of the server's threads would keep the interpreter from ending.
    os._exit(code)
