"""Weight maps of stacks and files: the formula over planes or over the stack, written beside what is known of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mitostain.config import WeightSettings
from napari_mitostain.errors import FileError, ImageError, SettingsError
from napari_mitostain.events import FileDone, Measured, PlaneDone, PlaneWeighed
from napari_mitostain.image import load_array
from napari_mitostain.image.files import read_stack
from napari_mitostain.weighing import measure_stack, read_weighting, weigh_file, weigh_stack, write_weighting
from napari_mitostain.weighting import statistics, tn_weights

STACK = WeightSettings(scope="stack")


@pytest.fixture
def target() -> np.ndarray:
    """Z, C, Y, X of exponential intensities, each plane brighter than the one before."""
    image = np.random.default_rng(0).exponential(300, (3, 2, 20, 24)) * np.array([1, 2, 5])[:, None, None, None]
    return (image + 100).clip(0, 65535).astype(np.uint16)


@pytest.fixture
def source(tmp_path: Path, target: np.ndarray) -> Path:
    metadata = {"axes": "ZCYX", "PhysicalSizeX": 0.08, "PhysicalSizeY": 0.08, "PhysicalSizeZ": 0.3}
    tifffile.imwrite(tmp_path / "t.ome.tif", target, ome=True, photometric="minisblack", metadata=metadata)
    return tmp_path / "t.ome.tif"


def weights(events: list) -> np.ndarray:
    return np.stack([event.values for event in events if isinstance(event, PlaneDone)])


def test_scope_plane_weighs_each_plane_by_itself(target: np.ndarray) -> None:
    events = list(weigh_stack(load_array(target, "ZCYX"), channel=1))
    np.testing.assert_array_equal(weights(events), np.stack([tn_weights(plane) for plane in target[:, 1]]))
    assert [(event.plane, event.done, event.total) for event in events] == [
        ((0, 0), 1, 3),
        ((1, 0), 2, 3),
        ((2, 0), 3, 3),
    ]


def test_scope_stack_weighs_all_planes_of_the_channel_together(target: np.ndarray) -> None:
    result = weights(list(weigh_stack(load_array(target, "ZCYX"), STACK, channel=1)))
    # Statistics merged from those of the planes: float64 sums in another order.
    np.testing.assert_allclose(result, tn_weights(target[:, 1], STACK), atol=1e-6)
    assert result[0].max() < result[2].max()
    assert not np.allclose(result, weights(list(weigh_stack(load_array(target, "ZCYX"), channel=1))), atol=0.01)


def test_statistics_of_the_stack_do_not_depend_on_the_planes_asked_for(target: np.ndarray) -> None:
    stack = load_array(target[:, 0])
    whole = weights(list(weigh_stack(stack, STACK)))
    part = list(weigh_stack(stack, STACK, planes=[(2,), (0,)]))
    assert [event.plane for event in part if isinstance(event, PlaneDone)] == [(2,), (0,)]
    np.testing.assert_array_equal(weights(part), whole[[2, 0]])


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_pixels_that_are_not_finite_weigh_nothing(target: np.ndarray, hole: float) -> None:
    image = target[:, 0].astype(np.float32)
    image[0, :, 3] = hole
    for settings in (WeightSettings(), STACK):
        result = weights(list(weigh_stack(load_array(image), settings)))
        assert not result[0, :, 3].any()
        assert np.isfinite(result).all()
        assert result.max() <= 1


@pytest.mark.parametrize("name", ["w.ome.tif", "w.zarr"])
@pytest.mark.parametrize("settings", [WeightSettings(), STACK], ids=["plane", "stack"])
def test_file_has_the_weights_the_axes_and_the_pixel_size(
    source: Path, target: np.ndarray, tmp_path: Path, name: str, settings: WeightSettings
) -> None:
    events = list(weigh_file(source, tmp_path / name, settings, channel=1))
    assert isinstance(events[-1], FileDone)
    written = read_stack(tmp_path / name)
    assert written.axes.replace("C", "") == "ZYX"
    assert dict(written.scale) == pytest.approx({"Z": 0.3, "Y": 0.08, "X": 0.08})
    loaded = np.stack([written.read(index) for index in written.planes()])
    np.testing.assert_array_equal(loaded, weights(list(weigh_stack(load_array(target, "ZCYX"), settings, 1))))


def test_file_says_what_it_is(source: Path, tmp_path: Path) -> None:
    list(weigh_file(source, tmp_path / "w.tif", STACK))
    with tifffile.TiffFile(tmp_path / "w.tif") as tif:
        text = (tif.ome_metadata or "").replace("&quot;", '"')
    assert "TN weights" in text
    assert '"scope": "stack"' in text


def test_existing_output_and_the_source_itself_are_kept(source: Path, tmp_path: Path) -> None:
    (tmp_path / "w.tif").write_bytes(b"precious")
    before = source.read_bytes()
    with pytest.raises(FileError, match="--overwrite"):
        list(weigh_file(source, tmp_path / "w.tif"))
    with pytest.raises(FileError, match="would replace"):
        list(weigh_file(source, source, overwrite=True))
    assert (tmp_path / "w.tif").read_bytes() == b"precious"
    assert source.read_bytes() == before


def test_unknown_channel_writes_nothing(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="channel"):
        list(weigh_file(source, tmp_path / "w.tif", channel=2))
    assert not (tmp_path / "w.tif").exists()


def test_closing_the_job_leaves_no_file(source: Path, tmp_path: Path) -> None:
    events = weigh_file(source, tmp_path / "w.tif")
    next(events)
    events.close()
    assert [path.name for path in tmp_path.iterdir()] == ["t.ome.tif"]


def test_statistics_of_a_stack_can_be_stopped_at_every_plane(target: np.ndarray) -> None:
    stack = load_array(target, "ZCYX")
    assert [type(event) for event in weigh_stack(stack, STACK)] == [Measured] * 3 + [PlaneWeighed] * 3
    first = next(iter(weigh_stack(stack, STACK)))
    assert isinstance(first, Measured)
    assert (first.done, first.total) == (1, 3)


def test_events_tell_what_the_weights_were_computed_from(target: np.ndarray) -> None:
    settings = WeightSettings(sigmas=(0.5, 2.0))
    for event, plane in zip(weigh_stack(load_array(target, "ZCYX"), settings, channel=1), target[:, 1], strict=True):
        assert isinstance(event, PlaneWeighed)
        measured = statistics(plane)
        assert (event.minimum, event.mean, event.std, event.maximum) == (
            measured.minimum,
            measured.mean,
            measured.std,
            measured.maximum,
        )
        low, high = measured.mean + 0.5 * measured.std, measured.mean + 2 * measured.std
        assert event.thresholds == (low, high)
        bands = (plane <= low, (plane > low) & (plane <= high), plane > high)
        assert event.pixel_shares == pytest.approx([band.mean() for band in bands])  # float64 of whole numbers
        weighed = [event.values[band].sum(dtype=np.float64) for band in bands]
        assert event.weight_shares == pytest.approx([part / sum(weighed) for part in weighed])


def test_measuring_ends_with_the_statistics_of_all_planes(target: np.ndarray) -> None:
    events, whole = measure_stack(load_array(target, "ZCYX"), channel=1), statistics(target[:, 1])
    told = []
    while True:
        try:
            told.append(next(events))
        except StopIteration as end:
            found = end.value
            break
    assert [(event.done, event.total) for event in told] == [(1, 3), (2, 3), (3, 3)]
    assert (found.count, found.minimum, found.maximum) == (whole.count, whole.minimum, whole.maximum)
    assert (found.mean, found.std) == pytest.approx((whole.mean, whole.std), rel=1e-12)  # float64 in another order


ODD = WeightSettings(a=(0.1, 0.25, 1 / 3), b=(-0.5, 0.5, 0.6), sigmas=(0.5, 2.0), scope="patch")


def test_coefficients_come_back_from_their_file(tmp_path: Path) -> None:
    write_weighting(tmp_path / "w.json", WeightSettings())
    write_weighting(tmp_path / "w.json", ODD)  # over the former
    assert read_weighting(tmp_path / "w.json") == ODD
    assert [path.name for path in tmp_path.iterdir()] == ["w.json"]


def test_file_of_coefficients_may_leave_out_what_is_the_papers(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text('{"sigmas": [0.5, 2]}')
    assert read_weighting(tmp_path / "w.json") == WeightSettings(sigmas=(0.5, 2))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"5",
        b"null",
        b'"a"',
        b'{"colour": 1}',
        b'{"a": [1, 2]}',
        b'{"a": {"1": 2}}',
        b'{"a": [NaN, 0, 0]}',
        b'{"a": [true, false, true]}',
        b'{"sigmas": [3, 1]}',
        b'{"scope": "world"}',
        b'{"scope": ["plane"]}',
        b'{"scope": null}',
        b"[" * 100_000,
    ],
)
def test_file_that_holds_no_coefficients_is_refused_in_a_sentence(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "w.json").write_bytes(text)
    with pytest.raises(SettingsError, match=r"^Expected .*, got .*; .*\.$") as caught:
        read_weighting(tmp_path / "w.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_file_of_coefficients_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="check the name"):
        read_weighting(tmp_path / name)


def test_file_of_coefficients_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    with pytest.raises(FileError):
        write_weighting(tmp_path / "file" / "w.json", ODD)
    assert (tmp_path / "file").read_text() == "in the way of a folder"
