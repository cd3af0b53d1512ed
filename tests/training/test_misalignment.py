"""Fluorescence that lies beside the brightfield is found, drawn, and a shift offered that brings it back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import Finding
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.training.alignment import texture
from napari_mitostain.training.misalignment import Misalignment, pictured
from napari_mitostain.training.pair import Pair, pair_of_arrays
from napari_mitostain.training.pairs import open_pairs

REAL = Path(__file__).parents[3] / "shared" / "data" / "h9c2_omp25"
SETTINGS = TrainSettings(epochs=1, patch=192, device="cpu", precision="float32")
MARGIN = 16


def moved(pair: Pair, shift: tuple[int, int]) -> Pair:
    """Misalign a pair so that `shift` brings it back."""
    frame = pair.read()
    height, width = pair.shape
    rows = slice(MARGIN + shift[0], height - MARGIN + shift[0])
    columns = slice(MARGIN + shift[1], width - MARGIN + shift[1])
    inner = slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN)
    return pair_of_arrays(pair.name, pair.acquisition, frame.brightfield[inner], frame.target[rows, columns])


def drawn(seed: int, acquisition: str, side: int = 160) -> Pair:
    """Draw fluorescent blobs, where the brightfield is rough, and nothing else in it tells of them."""
    random = np.random.default_rng(seed)
    blobs = gaussian_filter(random.standard_normal((side, side)), 3)
    target = (blobs / blobs.max()).clip(0, 1).astype(np.float32)
    brightfield = (target * random.standard_normal((side, side))).astype(np.float32)
    return pair_of_arrays(f"{acquisition} {seed}", acquisition, brightfield, target)


def found(pairs: list[Pair], model: Model | None = None) -> list[Finding]:
    looked = Misalignment(pairs, SETTINGS, model)
    for pair in pairs:
        looked.look_at(pair, pair.read())
    return list(looked.findings())


def test_shift_of_one_acquisition_is_found_and_only_there() -> None:
    pairs = [moved(drawn(seed, "good"), (0, 0)) for seed in range(3)]
    pairs += [moved(drawn(seed + 10, "bad"), (7, -5)) for seed in range(3)]
    (finding,) = found(pairs)
    assert (finding.severity, finding.acquisition, finding.shift) == ("warning", "bad", (7, -5))
    assert "shift it by (7, -5)" in finding.message
    assert finding.picture is not None
    assert finding.picture.dtype == np.uint8
    assert finding.picture.shape[2] == 3
    assert "picture" not in finding.to_dict()


def test_shift_of_a_few_pixels_is_tolerated() -> None:
    assert found([moved(drawn(seed, "a"), (3, -4)) for seed in range(4)]) == []


def test_empty_and_tiny_frames_tell_nothing() -> None:
    flat = np.zeros((100, 100), np.float32)
    tiny = np.random.default_rng(0).random((20, 20), np.float32)
    assert found([pair_of_arrays("flat", "a", flat, flat), pair_of_arrays("tiny", "b", tiny, tiny)]) == []


def test_only_some_frames_of_a_long_series_are_looked_at() -> None:
    pairs = [replace(pair_of_arrays("", "a", *[np.zeros((4, 4), np.float32)] * 2), name=f"{n}") for n in range(1000)]
    looked = Misalignment(pairs, SETTINGS, None)
    assert len(looked._chosen) <= 16
    fields = [replace(pair, acquisition=pair.name) for pair in pairs]
    assert len(Misalignment(fields, SETTINGS, None)._chosen) <= 128


def centre_of(image: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.argwhere(image).mean(axis=0)


def test_picture_shows_both_apart_and_then_together() -> None:
    expected, target = np.zeros((2, 60, 60), np.float32)
    expected[30:35, 30:35] = 1
    target[23:28, 35:40] = 1
    picture = pictured(expected, target, (7, -5))
    before, after = picture[:, :55], picture[:, 59:]
    assert before.shape == after.shape == (53, 55, 3)
    offsets = [centre_of(part[..., 0] > 128) - centre_of(part[..., 1] > 128) for part in (before, after)]
    np.testing.assert_array_equal(offsets, [(7, -5), (0, 0)])


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real pairs are not in {REAL}")
@pytest.mark.parametrize("stained", [False, True])
def test_real_pairs_are_in_line_until_they_are_moved(stained: bool) -> None:
    everything = open_pairs(REAL).pairs
    by_name: dict[str, list[Pair]] = {}
    for pair in everything:
        by_name.setdefault(pair.acquisition, []).append(pair)
    count = 5 if stained else 8
    pairs = [pair for of_one in by_name.values() for pair in of_one[:: -(-len(of_one) // count)]]
    model = load_model() if stained else None
    assert found(pairs, model) == []
    findings = found([moved(pair, (7, -5)) for pair in pairs], model)
    assert len(findings) >= (5 if stained else 3)  # not every series has brightfield whose texture tells enough
    for finding in findings:
        assert finding.shift == pytest.approx((7, -5), abs=4)  # they are aligned within 3 pixels themselves


@pytest.mark.parametrize(
    ("pixel_size", "what"), [(0.08, "the model's stain"), (0.3, "the structure in the brightfield")]
)
def test_finding_says_what_the_fluorescence_was_compared_with(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch, pixel_size: float, what: str
) -> None:
    known = replace(tiny_model, card=replace(tiny_model.card, pixel_size_um=0.08))
    monkeypatch.setattr(Misalignment, "_stained", lambda _, frame: texture(frame.brightfield))
    pairs = [replace(moved(drawn(seed, "bad"), (7, -5)), pixel_size=pixel_size) for seed in range(3)]
    (finding,) = found(pairs, known)
    assert f"lies beside {what}; shift it" in finding.message
