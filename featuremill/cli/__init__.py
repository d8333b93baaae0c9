"""The `featuremill` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command: exit code 0 when all is well, 1 for what went wrong, 2 for what was asked or written wrongly,
    130 when it was interrupted."""
    from featuremill.cli.app import app
    from featuremill.errors import FeaturemillError, disk_error

    try:
        app(standalone_mode=True)
    except FeaturemillError as error:
        from featuremill.cli.printing import print_error

        print_error(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output (head, less) has had enough.
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        told = disk_error(error)
        if told is None:
            raise
        from featuremill.cli.printing import print_error

        print_error(str(told))
        sys.exit(told.exit_code)
