"""The broker of a proof where Mosquitto is not installed: `python -m edge.proof.broker PORT`."""

from __future__ import annotations

import sys
import threading

from edge.broker import broker


def main() -> None:
    """Serve until killed."""
    with broker(int(sys.argv[1])):
        threading.Event().wait()


if __name__ == "__main__":
    main()
