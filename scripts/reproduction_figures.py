"""The figures of the reproduction, drawn without a display: rows of stains, and box plots."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_mitostain.image.files import atomic_write
from reproduction_tables import SCORES, Quartiles, quartiles

_FINE = 3
"""Lines are drawn so many times larger, and then made smaller, so that they are smooth."""

_PANEL, _MARGIN = (300, 260), (52, 16, 12, 66)
"""Width and height of a panel in pixels; what is left of, above, right of and below its axes."""

_COLOURS = ("#3b6fb6", "#6fa8dc", "#d98b2b", "#9a9a9a", "#5a9a5a", "#a05195")
_TEXT, _GAP = 13, 3

Plane = NDArray[Any]


def save_grid(rows: Sequence[Sequence[tuple[str, Plane]]], file: Path) -> None:
    """Write planes (Y, X) in [0, 1] of one size in rows, each under its name."""
    height, width = rows[0][0][1].shape
    size = max(map(len, rows)) * (width + _GAP) - _GAP, len(rows) * (height + _TEXT + 5 + _GAP) - _GAP
    picture = Image.new("L", size, 255)
    draw = ImageDraw.Draw(picture)
    for number, row in enumerate(rows):
        top = number * (height + _TEXT + 5 + _GAP)
        for column, (name, plane) in enumerate(row):
            left = column * (width + _GAP)
            draw.text((left + 2, top), name, 0, _font(_TEXT))
            levels = np.rint(255 * plane.clip(0, 1)).astype(np.uint8)
            picture.paste(Image.fromarray(levels), (left, top + _TEXT + 5))
    _save(picture, file)


def save_boxes(groups: dict[str, dict[str, list[float]]], file: Path) -> None:
    """Write a panel of box plots for each score: groups side by side, whiskers within 1.5 interquartile ranges."""
    scores = [name for name in SCORES if name in next(iter(groups.values()))]
    picture = Image.new("RGB", (_FINE * _PANEL[0] * len(scores), _FINE * _PANEL[1]), "white")
    draw = ImageDraw.Draw(picture)
    for number, name in enumerate(scores):
        boxes = {group: quartiles(values[name]) for group, values in groups.items()}
        _panel(draw, _FINE * _PANEL[0] * number, SCORES[name], boxes)
    _save(picture.reduce(_FINE), file)


def ticks(low: float, high: float) -> list[float]:
    """Return at most six round numbers that enclose a range."""
    for step in (1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50):
        first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
        if last - first <= 5:
            break
    return [float(step * number) for number in np.arange(first, last + 1)]


def _panel(draw: ImageDraw.ImageDraw, left: int, title: str, boxes: dict[str, Quartiles]) -> None:
    """Draw axes and boxes of one score."""
    x0, y0, right, below = (_FINE * margin for margin in _MARGIN)
    x0, x1, y1 = left + x0, left + _FINE * _PANEL[0] - right, _FINE * _PANEL[1] - below
    marks = ticks(min(box.low for box in boxes.values()), max(box.high for box in boxes.values()))

    def height(value: float) -> float:
        return y1 - (value - marks[0]) / (marks[-1] - marks[0]) * (y1 - y0)

    font = _font(_FINE * 11)
    for mark in marks:
        draw.line((x0, height(mark), x1, height(mark)), "#dddddd", _FINE)
        draw.text((x0 - _FINE * 5, height(mark)), f"{mark:.4g}", "black", font, anchor="rm")
    draw.line((x0, y0, x0, y1, x1, y1), "black", _FINE)
    draw.text(((x0 + x1) / 2, _FINE * _PANEL[1] - _FINE * 6), title, "black", _font(_FINE * 13), anchor="mb")
    width = (x1 - x0) / len(boxes)
    for number, (name, box) in enumerate(boxes.items()):
        middle = x0 + (number + 0.5) * width
        _box(draw, middle, 0.28 * width, box, height, _COLOURS[number % len(_COLOURS)])
        words = "\n".join(name.split(", "))
        draw.multiline_text((middle, y1 + _FINE * 5), words, "black", font, anchor="ma", align="center")


def _box(
    draw: ImageDraw.ImageDraw, x: float, half: float, box: Quartiles, height: Callable[[float], float], colour: str
) -> None:
    low, first, median, third, high = map(height, box)
    draw.line((x, low, x, high), "black", _FINE)
    for end in (low, high):
        draw.line((x - half / 2, end, x + half / 2, end), "black", _FINE)
    draw.rectangle((x - half, third, x + half, first), colour, "black", _FINE)
    draw.line((x - half, median, x + half, median), "black", 2 * _FINE)


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _save(picture: Image.Image, file: Path) -> None:
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    atomic_write(file, content.getvalue())
    print(file, flush=True)
