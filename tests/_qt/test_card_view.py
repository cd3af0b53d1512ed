"""The card as people read it, and what pixel sizes mean for it."""

from __future__ import annotations

import pytest

from napari_mitostain._qt.card_view import CardView, card_html, card_of, pixel_note
from napari_mitostain.model.card import Card

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
    order = [text.index(words) for words in ("mean of series", "constant image", "left out A", "21.3")]
    assert order[:3] == sorted(order[:3])
    assert "A constant" not in text  # a table of twenty rows is read by nobody


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


def test_missing_and_damaged_cards_are_explained(small_model, tmp_path):
    (tmp_path / "models" / "small.json").write_text("{}")
    assert "Expected a model card" in card_of("small")
    assert "Expected a model among" in card_of("other")
    assert pixel_note(0.1, card_of("other")) == ("", False)
