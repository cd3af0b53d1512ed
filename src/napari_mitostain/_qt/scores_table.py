"""Scores of a run beside what it has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

_COLUMNS = {"pearson": "Pearson", "detail_pearson": "detail", "ssim": "SSIM", "psnr": "PSNR"}
_ROWS = {"start": "starting model", "variance": "variance", "constant": "constant", "ceiling": "ceiling"}
_TIP = (
    "Of the validation pairs. A constant image and the blurred variance of brightfield need no learning; the ceiling "
    "is the fluorescence against its own denoised self. Detail: Pearson correlation of fine structure alone."
)


class ScoresTable(QLabel):
    """A table of scores: the run's best epoch, the model it started from, and what needs no learning."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setToolTip(_TIP)
        self.hide()

    def show_scores(self, scores: Mapping[str, float], to_beat: Mapping[str, Mapping[str, float]]) -> None:
        """Show scores; the table hides while there are none."""
        rows = [("this run", scores)] if scores else []
        rows += [(title, to_beat[name]) for name, title in _ROWS.items() if name in to_beat]
        head = "".join(f"<th align='right'>{title}</th>" for title in _COLUMNS.values())
        body = "".join(f"<tr><td>{escape(name)}</td>{_cells(row)}</tr>" for name, row in rows)
        table = f"<table width='100%' cellspacing='0' cellpadding='2'><tr><th></th>{head}</tr>{body}</table>"
        self.setText(f"<div style='font-size: small'>{table}</div>")
        self.setVisible(bool(rows))


def _cells(row: Mapping[str, float]) -> str:
    return "".join(f"<td align='right'>{_number(row.get(key), key)}</td>" for key in _COLUMNS)


def _number(value: float | None, key: str) -> str:
    return "–" if value is None else f"{value:.1f}" if key == "psnr" else f"{value:.3f}"
