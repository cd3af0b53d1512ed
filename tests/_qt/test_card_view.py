"""The card as people read it, and what pixel sizes mean for it."""

from __future__ import annotations

import pytest
from qtpy.QtGui import QTextCursor

from napari_mitostain._qt.card_view import CardView, card_html, card_of, pixel_note
from napari_mitostain.model.card import Card
from napari_mitostain.model.library import DEFAULT_MODEL

ROW = {"ssim": 0.61, "psnr": 21.34, "pearson": 0.64, "detail_pearson": 0.31}


def test_card_tells_data_licence_limits_and_scores(qtbot):
    data = ({"name": "111 pairs", "source": "Somani 2022", "licence": "GPL-3.0"},)
    scores = {"left out A": ROW, "mean of series": ROW, "constant": ROW | {"ssim": 0.5}, "A constant": ROW}
    view = CardView()
    qtbot.addWidget(view)
    view.show_card(Card("model", "Sees <much>.", data=data, scores=scores, limits="Predicted. Beware.", licence="MIT"))
    text = view.toPlainText()
    for words in ("Sees <much>.", "111 pairs", "Somani 2022", "GPL-3.0", "Predicted. Beware.", "MIT"):
        assert words in text
    lines = text.splitlines()
    rows = [lines.index(name) for name in ("mean", "constant", "A")]
    assert rows == sorted(rows)
    assert "21.3" in lines
    assert "A constant" not in lines  # a table of twenty rows is read by nobody


@pytest.mark.parametrize("width", [280, 300])
def test_scores_are_not_broken_in_a_narrow_dock(qtbot, width):
    """The card is the bundled one; beside it the dock has a scroll bar and margins of at most 20 pixels."""
    view = CardView()
    qtbot.addWidget(view)
    view.resize(width - 20, 400)
    view.show_card(card_of(DEFAULT_MODEL))
    view.show()
    qtbot.waitExposed(view)
    blocks = [view.document().begin()]
    while blocks[-1].next().isValid():
        blocks.append(blocks[-1].next())
    cells = [block for block in blocks if QTextCursor(block).currentTable() is not None]
    assert {block.text() for block in cells} >= {"SSIM", "PSNR", "Pearson", "detail", "mean", "constant", "TL_011"}
    assert [block.text() for block in cells if block.layout().lineCount() > 1] == []
    assert view.horizontalScrollBar().maximum() == 0


def test_bare_card_is_short(qtbot):
    assert "Scores" not in card_html(Card("model"))


@pytest.mark.parametrize(
    ("own", "wanted", "words", "offered"),
    [
        (0.08, 0.08, "", False),
        (0.083, 0.08, "", False),
        (0.085, 0.08, "0.085 µm", True),
        (0.02, 0.08, "0.02 µm", True),
        (None, 0.08, "unknown", False),
        (0.5, None, "", False),
    ],
)
def test_pixel_note(own, wanted, words, offered):
    note, resampling = pixel_note(own, Card("model", pixel_size_um=wanted))
    assert (words in note, bool(note), resampling) == (True, bool(words), offered)


def test_pixel_note_of_an_image_that_is_resampled():
    note, resampling = pixel_note(0.2, Card("model", pixel_size_um=0.08), resampled=True)
    assert "resampled" in note
    assert "poor" not in note
    assert resampling  # the box must stay, to be unticked


def test_missing_and_damaged_cards_are_explained(small_model, tmp_path):
    (tmp_path / "models" / "small.json").write_text("{}")
    assert "Expected a model card" in card_of("small")
    assert "Expected a model among" in card_of("other")
    assert pixel_note(0.1, card_of("other")) == ("", False)
