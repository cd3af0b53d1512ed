"""The card of a model, readable, and what the size of a layer's pixels means for it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from qtpy.QtGui import QTextOption
from qtpy.QtWidgets import QTextBrowser, QWidget

from napari_mitostain.errors import MitostainError
from napari_mitostain.model.card import SAME_SIZE, Card

_COLUMNS = {"ssim": "SSIM", "psnr": "PSNR", "pearson": "Pearson", "detail_pearson": "detail"}
_MEAN = "mean of series"
_BASELINES = ("constant", "variance", "ceiling")
_LEFT_OUT = "left out "
_KEY_OF_LEFT_OUT = "Each series was left out of the training of the generator that it scores; mean: of these series. "
_KEY = (
    "A constant image and the blurred variance of brightfield need no learning; the ceiling is the fluorescence "
    "against its own denoised self. Detail: Pearson correlation of fine structure alone."
)


def card_of(name: str) -> Card | str:
    """Return the card of an installed model, or a sentence that says why there is none."""
    from napari_mitostain.model.library import load_card

    try:
        return load_card(name)
    except MitostainError as error:
        return str(error)


class CardView(QTextBrowser):
    """Shows a card; scrolls if it is long."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(160)
        self.setWordWrapMode(QTextOption.WrapMode.WordWrap)  # never inside a word
        self._shown: Card | str | None = None

    def show_card(self, card: Card | str) -> None:
        """Show a card, or the sentence in its place."""
        if card != self._shown:  # showing it anew would scroll to its top
            self._shown = card
            self.setHtml(card_html(card) if isinstance(card, Card) else f"<p>{escape(card)}</p>")


def card_html(card: Card) -> str:
    """Write a card as rich text in the colours of the theme."""
    first, dot, more = card.limits.partition(". ")
    parts = [f"<h3>{escape(card.name)}</h3>", _paragraph(card.summary)]
    parts.append(f"<p><b>{escape(first + dot.strip())}</b> {escape(more)}</p>")
    if card.pixel_size_um is not None:
        parts.append(_paragraph(f"Pixel size: {card.pixel_size_um:g} µm"))
    parts += [_data_html(data) for data in card.data]
    parts.append(_scores_html(card.scores))
    parts.append(_paragraph(f"Licence of the model: {card.licence}" if card.licence else ""))
    return "".join(parts)


def pixel_note(own: float | None, card: Card | str, resampled: bool = False) -> tuple[str, bool]:
    """Compare the size of a layer's pixels with the model's.

    Parameters
    ----------
    own : float, optional
        In micrometres; None if unknown.
    card : Card or str
    resampled : bool
        Whether the user has asked to resample.

    Returns
    -------
    tuple of str and bool
        What to tell the user ("" for nothing), and whether resampling would help.
    """
    wanted = card.pixel_size_um if isinstance(card, Card) else None
    if wanted is None:
        return "", False
    if own is None:
        return f"The size of this image's pixels is unknown; the model expects {wanted:g} µm.", False
    if abs(own / wanted - 1) <= SAME_SIZE:
        return "", False
    if resampled:
        return f"This image has pixels of {own:.3g} µm; it is resampled to the {wanted:g} µm of the model.", True
    return (
        f"⚠ This image has pixels of {own:.3g} µm, the model was trained on {wanted:g} µm: expect a poor stain.",
        True,
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _data_html(data: Mapping[str, str]) -> str:
    lines = [f"<b>Trained on</b> {escape(data.get('name', 'unnamed data'))}"]
    lines += [
        f"{word}: {escape(data[key])}" for key, word in (("source", "Source"), ("licence", "Licence")) if key in data
    ]
    return f"<p>{'<br>'.join(lines)}</p>"


def _scores_html(scores: Mapping[str, Any]) -> str:
    rows = [(name, row) for name, row in scores.items() if isinstance(row, Mapping) and not _is_detail(name)]
    order = [_MEAN, *_BASELINES]
    rows.sort(key=lambda row: order.index(row[0]) if row[0] in order else len(order))
    if not rows:
        return ""
    head = "".join(f"<th align='right'>{title}</th>" for title in _COLUMNS.values())
    body = "".join(
        f"<tr><td>{escape(_short(name))}</td>{''.join(_cell(row.get(key), key) for key in _COLUMNS)}</tr>"
        for name, row in rows
    )
    table = f"<table width='98%' cellspacing='0' cellpadding='2'><tr><th></th>{head}</tr>{body}</table>"
    key = _KEY_OF_LEFT_OUT + _KEY if any(name.startswith(_LEFT_OUT) for name, _ in rows) else _KEY
    return f"<p><b>Scores</b></p><div style='font-size: small'>{table}<p>{key}</p></div>"


def _short(name: str) -> str:
    """Shorten the name of a row, so that the table fits into a narrow dock."""
    return "mean" if name == _MEAN else name.removeprefix(_LEFT_OUT)


def _is_detail(name: str) -> bool:
    """Tell whether a row is a baseline of a single series, which the table leaves out to stay readable."""
    return name not in _BASELINES and name.split(" ")[-1] in _BASELINES


def _cell(value: Any, key: str) -> str:
    text = "–" if not isinstance(value, (int, float)) else f"{value:.1f}" if key == "psnr" else f"{value:.2f}"
    return f"<td align='right'>{text}</td>"
