"""The card of a model: a JSON document that comes back as it was, or is refused in a sentence."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mitostain.config import ScalingSettings, TrainSettings, WeightSettings
from napari_mitostain.errors import ModelError
from napari_mitostain.model.card import FORMAT, Card

FULL = Card(
    name="h9c2-µ",
    summary="Mitochondria of rat heart cells.",
    base_channels=12,
    depth=3,
    pixel_size_um=0.108,
    scaling=ScalingSettings(12.5, (0.5, 99.5)),
    weighting=WeightSettings((0.1, 0.2, 0.3), (0.0, 0.5, 1.0), (0.5, 2.5), "patch"),
    training=json.loads(json.dumps(TrainSettings(epochs=3).to_dict())),
    data=({"name": "H9c2 OMP25", "source": "BioImage Archive", "licence": "CC0"},),
    scores={"field 3": {"ssim": 0.712, "psnr": 21.5, "pearson": 0.834, "detail_pearson": 0.456}},
    limits="Not for dead cells.",
    licence="BSD-3-Clause",
)


EQUAL = Card("equal", scores={"ceiling": {"ssim": 1.0, "psnr": inf, "pearson": 1.0, "detail_pearson": 1.0}})


def test_card_is_json_where_a_score_is_infinite() -> None:
    assert json.loads(EQUAL.to_json(), parse_constant=pytest.fail)["scores"]["ceiling"]["psnr"] is None
    assert " inf " in EQUAL.to_text()


@pytest.mark.parametrize("card", [FULL, EQUAL, Card("plain")], ids=["full", "equal", "plain"])
def test_card_survives_json(card: Card) -> None:
    text = card.to_json()
    assert Card.from_json(text, "there") == card
    assert Card.from_json(text.encode(), "there") == card
    assert json.loads(text)["format"] == FORMAT


@given(
    name=st.text(max_size=20),
    pixel=st.none() | st.floats(1e-3, 1e3),
    background=st.floats(1, 1e3),
    score=st.floats(-1, 1),
    limits=st.text(max_size=20),
)
def test_any_card_survives_json(name: str, pixel: float | None, background: float, score: float, limits: str) -> None:
    scores = {"series": dict.fromkeys(("ssim", "psnr", "pearson", "detail_pearson"), score)}
    card = Card(name, pixel_size_um=pixel, scaling=ScalingSettings(background), scores=scores, limits=limits)
    assert Card.from_json(card.to_json(), "there") == card


def test_card_for_reading_says_what_a_user_has_to_know() -> None:
    text = FULL.to_text()
    for said in ("h9c2-µ", "rat heart", "108 nm", "BSD-3-Clause", "BioImage Archive", "CC0", "Not for dead cells."):
        assert said in text
    (line,) = [line for line in text.splitlines() if "field 3" in line]
    assert line.split()[2:] == ["0.712", "21.50", "0.834", "0.456"]


def test_card_for_reading_says_what_is_not_stated() -> None:
    text = Card("plain").to_text()
    assert "Pixel size: unknown" in text
    assert "Licence: not stated" in text
    assert "not quantitative fluorescence" in text
    assert "Scores" not in text


def changed(**values: Any) -> str:
    return json.dumps(json.loads(FULL.to_json()) | values)


BROKEN = {
    "nothing": "",
    "no JSON": "{",
    "no text": b"\xff\xfe\x00",
    "nested without end": "[" * 100_000,
    "a list": "[1, 2]",
    "null": "null",
    "no format": json.dumps({"name": "x"}),
    "another format": changed(format="mitostain-model/99"),
    "no name": json.dumps({k: v for k, v in json.loads(FULL.to_json()).items() if k != "name"}),
    "no scaling": json.dumps({k: v for k, v in json.loads(FULL.to_json()).items() if k != "scaling"}),
    "name of a number": changed(name=7),
    "scaling of nothing": changed(scaling=None),
    "scaling of another kind": changed(scaling={"gamma": 2}),
    "scaling of words": changed(scaling={"background_px": "wide"}),
    "percentiles of words": changed(scaling={"percentiles": ["low", "high"]}),
    "three percentiles": changed(scaling={"percentiles": [1, 50, 99]}),
    "senseless weighting": changed(weighting={"sigmas": [3, 1]}),
    "weighting of words": changed(weighting={"a": ["x", "y", "z"]}),
    "weighting of a number": changed(weighting={"b": 0.5}),
    "channels of none": changed(base_channels=0),
    "channels of words": changed(base_channels="many"),
    "channels of a half": changed(base_channels=4.5),
    "depth below one": changed(depth=0),
    "depth beyond any plane": changed(depth=1000),
    "depth of a half": changed(depth=2.5),
    "pixels of words": changed(pixel_size_um="small"),
    "negative pixels": changed(pixel_size_um=-0.1),
    "pixels without size": changed(pixel_size_um=0),
    "data of words": changed(data="mine"),
    "data without source": changed(data=[{"name": "mine", "licence": "none"}]),
    "scores of words": changed(scores="good"),
    "scores without a score": changed(scores={"all": {"ssim": 1}}),
    "limits of nothing": changed(limits=None),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_broken_card_is_refused_in_a_sentence_that_names_it(text: str | bytes) -> None:
    with pytest.raises(ModelError, match=r"^Expected a model card .* in my/card\.json, got .*; .*\.$") as caught:
        Card.from_json(text, "my/card.json")
    assert "\n" not in str(caught.value)


def test_fault_of_a_setting_is_a_part_of_one_sentence() -> None:
    with pytest.raises(ModelError) as caught:
        Card.from_json(changed(scaling={"background_px": 0}), "my/card.json")
    said = str(caught.value)
    assert "(expected background_px to be a number of at least 1, got 0)" in said
    assert (said.count("Expected"), said.count(";"), said.count(".;")) == (1, 1, 0)


def test_field_of_a_later_version_is_passed_over() -> None:
    assert Card.from_json(changed(colour="green"), "there") == FULL
