"""The command `warpface`."""

from __future__ import annotations

import os
import signal
import sys

from . import _native


def main() -> None:
    """Runs the command line of this process."""
    # Signals go to the command, as in a program of its own: Python would hold them back until it returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # `warpface weights` fetches by the pip of the Python that runs this.
    os.environ.setdefault("WARPFACE_PYTHON", sys.executable)
    sys.exit(_native.run(["warpface", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
