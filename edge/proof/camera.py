"""A camera on the network: noisy bright pictures as Motion JPEG over HTTP, 25 a second.

`python -m edge.proof.camera PORT`. It is a process of its own, to be killed and stopped.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

HOST = "127.0.0.1"
SIZE_PX = (64, 48)  # FFmpeg finds no stream in pictures much smaller
BRIGHT = 180
INTERVAL_S = 0.04  # FFmpeg takes a stream without times for one of 25 a second
BOUNDARY = b"picture"


class Stream(BaseHTTPRequestHandler):
    """Answers each request with pictures, until the client hangs up."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}")
        self.end_headers()
        noise = np.random.default_rng()
        pause = threading.Event()
        due_s = time.monotonic()
        while True:
            try:
                self.wfile.write(_part(_picture(noise)))
            except OSError:
                return  # the client is gone
            due_s = max(due_s + INTERVAL_S, time.monotonic())
            pause.wait(due_s - time.monotonic())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def _picture(noise: np.random.Generator) -> bytes:
    width, height = SIZE_PX
    bgr = BRIGHT + noise.integers(-20, 21, (height, width, 3))
    _, jpeg = cv2.imencode(".jpg", bgr.astype(np.uint8))
    return jpeg.tobytes()


def _part(jpeg: bytes) -> bytes:
    head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return head % (BOUNDARY, len(jpeg)) + jpeg + b"\r\n"


def main() -> None:
    """Serve until killed."""
    ThreadingHTTPServer((HOST, int(sys.argv[1])), Stream).serve_forever()


if __name__ == "__main__":
    main()
