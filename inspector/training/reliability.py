"""The reliability diagram of a judge, as a picture: what was said against what was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inspector.domain import Bgr
from inspector.training.calibrate import Bin

_SIDE_PX = 480
_LEFT_PX, _TOP_PX = 78, 60
_COUNTS_PX, _GAP_PX = 90, 44
_INK = (40, 40, 40)
_PALE = (215, 215, 215)
_BAR = (150, 95, 40)
_GAP = (90, 90, 215)


def draw_reliability(bins: Sequence[Bin], *, title: str, subtitle: str) -> Bgr:
    """Return the diagram: bars reach the share that was violated, a line marks what was said.

    Below it stands how many cases each bin holds. On the diagonal a probability means what it says.
    """
    import cv2

    bottom = _TOP_PX + _SIDE_PX
    foot = bottom + _GAP_PX + _COUNTS_PX
    canvas: Bgr = np.full((foot + 50, _LEFT_PX + _SIDE_PX + 30, 3), 255, dtype=np.uint8)
    _write(cv2, canvas, title, (12, 24), size=0.52)
    _write(cv2, canvas, subtitle, (12, 44))
    width = _SIDE_PX / len(bins)
    for step in range(0, 11, 2):
        share = step / 10
        y, x = round(bottom - share * _SIDE_PX), round(_LEFT_PX + share * _SIDE_PX)
        cv2.line(canvas, (_LEFT_PX, y), (_LEFT_PX + _SIDE_PX, y), _PALE, 1)
        _write(cv2, canvas, f"{share:.1f}", (_LEFT_PX - 36, y + 5))
        _write(cv2, canvas, f"{share:.1f}", (x - 10, bottom + 18))
    most = max([1, *(one.n for one in bins)])
    for index, one in enumerate(bins):
        left, right = (round(_LEFT_PX + (index + e) * width) for e in (0, 1))
        if one.probability is None or one.violated is None:
            continue
        top = round(bottom - one.violated * _SIDE_PX)
        cv2.rectangle(canvas, (left + 2, top), (right - 2, bottom), _BAR, -1)
        said = round(bottom - one.probability * _SIDE_PX)
        cv2.line(canvas, (left + 2, said), (right - 2, said), _GAP, 3)
        height = round(one.n / most * _COUNTS_PX)
        cv2.rectangle(canvas, (left + 2, foot - height), (right - 2, foot), _PALE, -1)
        _write(cv2, canvas, str(one.n), (left + 6, foot - 5))
    cv2.line(canvas, (_LEFT_PX, bottom), (_LEFT_PX + _SIDE_PX, _TOP_PX), _INK, 1, cv2.LINE_AA)
    cv2.rectangle(canvas, (_LEFT_PX, _TOP_PX), (_LEFT_PX + _SIDE_PX, bottom), _INK, 1)
    _write(cv2, canvas, "P(violated) as said (red: mean of the bin)", (_LEFT_PX, bottom + 36))
    _write(cv2, canvas, "cases in each bin", (_LEFT_PX, foot + 20))
    upright: Bgr = np.full((22, _SIDE_PX, 3), 255, dtype=np.uint8)
    _write(cv2, upright, "share that was violated (blue)", (_SIDE_PX // 4, 15))
    canvas[_TOP_PX:bottom, 8:30] = np.rot90(upright)
    return canvas


def _write(cv2: Any, canvas: Bgr, text: str, at: tuple[int, int], *, size: float = 0.42) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
