"""Parts of a plane scaled alone, as they are scaled in the whole plane."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image import PlaneContrast, measure_plane, part_scaling, scale_brightfield, scaling

SETTINGS = ScalingSettings(background_px=4)
ALL = slice(0, 120), slice(0, 140)


def texture() -> np.ndarray:
    random = np.random.default_rng(0)
    return gaussian_filter(random.standard_normal((120, 140)), 1.5) * 300 + np.linspace(90, 140, 140)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 50_000])
def test_part_is_scaled_as_in_the_whole(kind: type, offset: float) -> None:
    image = (texture().clip(0, 255) + (0 if kind is np.uint8 else offset)).astype(kind)
    image[60, 70] = np.iinfo(kind).max if np.issubdtype(kind, np.integer) else 1e6  # a hot pixel
    contrast = PlaneContrast.estimate([(image, ALL)], SETTINGS)  # all of the plane, which is below the sample's size
    reach = contrast.reach
    part = contrast.scale(image[20:110, 30:140])[reach:-reach, reach:]  # the right side is the plane's own
    # float32: sums of the background in another order, and the contrast in another unit
    np.testing.assert_allclose(
        part, scale_brightfield(image, SETTINGS)[20 + reach : 110 - reach, 30 + reach :], atol=1e-3
    )


def test_contrast_of_a_texture_is_found_from_blocks_of_it() -> None:
    image = np.tile(texture(), (3, 3))
    spans = [slice(start, start + 60) for start in (30, 150, 270)]
    contrast = PlaneContrast.estimate(
        [(image[rows, columns], (slice(15, 45), slice(15, 45))) for rows in spans for columns in spans], SETTINGS
    )
    scaled = scale_brightfield(image, SETTINGS)
    # a contrast from 8100 pixels with a correlation length of some 3 px: 30 × 30 independent ones, so about 5 %
    assert contrast.scale(image).std() == pytest.approx(scaled.std(), rel=0.1)


@pytest.mark.parametrize("value", [0, 7, 60_000])
def test_constant_plane_is_zero(value: int) -> None:
    image = np.full((120, 140), value, np.uint16)
    contrast = PlaneContrast.estimate([(image, ALL)], SETTINGS)
    assert contrast.contrast == 0
    assert not contrast.scale(image).any()


def test_plane_measured_box_by_box_is_scaled_as_the_whole_and_its_holes_are_told() -> None:
    image = texture().astype(np.float32)
    image[3, 4] = np.nan
    boxes = [(slice(top, top + 40), slice(left, left + 35)) for top in (0, 40, 80) for left in (0, 35, 70, 105)]
    *nothing, contrast = measure_plane(lambda box: image[box], image.shape, boxes, SETTINGS)
    assert nothing == [None] * 2 * len(boxes)
    assert contrast is not None
    assert contrast.has_holes
    scaled = scale_brightfield(image, SETTINGS)
    reach = contrast.reach  # around the hole the median of all stands in, and not that of a sample
    np.testing.assert_allclose(contrast.scale(image)[4 + reach :], scaled[4 + reach :], atol=1e-3)


def test_boxes_wherever_they_begin_give_the_sample_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (scaling, part_scaling):  # every third row, every fourth column
        monkeypatch.setattr(module, "SAMPLE", 35)
        monkeypatch.setattr(module, "ROUGH_SAMPLE", 17)
    image = texture().clip(0, 65535).astype(np.uint16)
    rows, columns = [0, 37, 38, 95, 120], [0, 1, 74, 139, 140]  # some of them hold no pixel of the sample
    boxes = [(slice(*across), slice(*along)) for across in pairwise(rows) for along in pairwise(columns)]
    *_, contrast = measure_plane(lambda box: image[box], image.shape, boxes, SETTINGS)
    assert contrast is not None
    np.testing.assert_allclose(contrast.scale(image), scale_brightfield(image, SETTINGS), rtol=1e-5, atol=1e-5)
