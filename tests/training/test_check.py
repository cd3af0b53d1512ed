"""The pair check: one sentence for whatever is wrong, one look at every pair, and a place to stop after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import FileError
from napari_mitostain.events import Event, Finding, Measured
from napari_mitostain.image import Stack
from napari_mitostain.model.loading import Model
from napari_mitostain.training.check import Checked, check_pairs
from napari_mitostain.training.pair import Frames, Pair, pair_of_arrays
from napari_mitostain.training.pairs import Opened, open_pairs, open_stacks
from napari_mitostain.training.spec import pairs_in
from napari_mitostain.training.stacks import stack_pairs

SETTINGS = TrainSettings(epochs=1, patch=32, depth=2, minimum_area=0.05, holdout=(), pixel_size_um=0.1)


def drained(
    pairs: Opened | list[Pair], settings: TrainSettings = SETTINGS, model: Model | None = None
) -> tuple[list[Event], Checked]:
    events, check = list[Event](), check_pairs(pairs, settings, model, Frames())
    while True:
        try:
            events.append(next(check))
        except StopIteration as end:
            return events, end.value


def said(
    pairs: Opened | list[Pair], settings: TrainSettings = SETTINGS, model: Model | None = None
) -> list[tuple[str, str]]:
    """Return the findings about pairs; that they are few goes without saying here."""
    findings = drained(pairs, settings, model)[1].findings
    return [(one.severity, one.message) for one in findings if "There are only" not in one.message]


def image_of(seed: int, side: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 250, (side, side), np.uint8)


def pair_from(name: str, brightfield: NDArray[Any], fluorescence: NDArray[Any], acquisition: str = "a") -> Pair:
    (pair,) = stack_pairs(Stack(brightfield, "YX"), Stack(fluorescence, "YX"), name, acquisition)
    return pair


def good(number: int, acquisition: str = "") -> Pair:
    return pair_from(f"good {number}", image_of(number), image_of(number + 100), acquisition or f"field {number}")


def test_good_pairs_have_no_finding_and_an_event_each() -> None:
    pairs = [good(number) for number in range(6)]
    events, checked = drained(pairs)
    assert events == [replace(event, done=n + 1, total=6) for n, event in enumerate(events)]  # Measured only
    assert all(isinstance(event, Measured) for event in events)
    assert checked.findings == checked.errors == []
    assert [pair.name for pair in checked.pairs] == [pair.name for pair in pairs]
    assert len(checked.facts) == 6
    assert checked.split is not None
    assert len(checked.split.training) == 6


def test_every_finding_is_an_event_of_one_sentence() -> None:
    events, checked = drained([good(0), pair_from("flat", np.zeros((48, 48), np.uint8), image_of(3))])
    assert [event for event in events if isinstance(event, Finding)] == checked.findings
    assert len(checked.findings) == 2
    for finding in checked.findings:
        assert finding.message.endswith(".")
        assert ". " not in finding.message


def test_check_stops_after_any_pair() -> None:
    check = check_pairs([good(number) for number in range(6)], SETTINGS, None, Frames())
    assert next(check).done == 1  # type: ignore[attr-defined]
    check.close()


class Plane:
    """A plane in a file that is counted whenever it is read."""

    def __init__(self, image: NDArray[Any], error: Exception | None = None) -> None:
        self.shape, self.dtype, self._image, self._error = image.shape, image.dtype, image, error
        self.reads = Counter[str]()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        self.reads["read"] += 1
        if self._error is not None:
            raise self._error
        return self._image[key]


def test_pairs_are_read_once_and_are_then_at_hand() -> None:
    planes = [Plane(image_of(number)) for number in range(8)]
    stacks = [(f"{n}", Stack(planes[2 * n], "YX"), Stack(planes[2 * n + 1], "YX")) for n in range(4)]
    opened, frames = open_stacks(stacks), Frames()
    for _ in check_pairs(opened, SETTINGS, None, frames):
        pass
    for pair in opened.pairs:
        assert frames[pair].target.shape == (48, 48)
    assert [plane.reads["read"] for plane in planes] == [1] * 8


def test_no_pairs() -> None:
    events, checked = drained([])
    ((severity, message),) = [(one.severity, one.message) for one in checked.findings]
    assert severity == "error"
    assert "at least one pair" in message
    assert len(events) == 1
    assert checked.split is None


def test_one_pair_says_what_that_means() -> None:
    ((severity, message),) = said([good(0)])
    assert severity == "warning"
    assert "only one pair" in message


def test_few_pairs_are_said() -> None:
    (finding,) = drained([good(0), good(1)])[1].findings
    assert (finding.severity, finding.message[:22]) == ("warning", "There are only 2 pairs")


@pytest.mark.parametrize(("side", "advice"), [(30, "a patch of 28 pixels"), (5, "use larger images")])
def test_images_smaller_than_a_patch(side: int, advice: str) -> None:
    small = pair_from("small", image_of(0, side), image_of(1, side))
    (severity, message), *_ = said([small, good(1)])
    assert severity == "error"
    assert f"got {side}×{side} for small" in message
    assert advice in message


@pytest.mark.parametrize("skipped", [False, True])
def test_unreadable_pixels_among_many_are_named_and_skipped_by_choice(skipped: bool) -> None:
    broken = Plane(image_of(0), FileError("Expected a readable image, got b.tif (damaged); copy it again."))
    opened = open_stacks([("b", Stack(broken, "YX"), Stack(image_of(1), "YX"))])
    pairs = [good(number) for number in range(5)]
    _, checked = drained(Opened([*pairs, *opened.pairs], [], skipped))
    ((severity, message),) = [(one.severity, one.message) for one in checked.findings]
    assert severity == ("warning" if skipped else "error")
    assert message.startswith("b is left out: " if skipped else "Expected ")
    assert "b.tif (damaged)" in message
    assert [pair.name for pair in checked.pairs] == [pair.name for pair in pairs]
    assert (checked.split is not None) == skipped


def test_files_that_cannot_be_opened_are_among_the_findings(pairs_folder: Callable[..., Path]) -> None:
    folder = pairs_folder(*(f"f_{number}.tif" for number in range(6)))
    tifffile.imwrite(folder / "mitochondria" / "f_2.tif", np.zeros((3, 32, 32), np.uint8), photometric="minisblack")
    settings = replace(SETTINGS, patch=16)
    assert drained(open_pairs(folder), settings)[1].split is None
    _, checked = drained(open_pairs(pairs_in(folder, skip_unreadable=True)), settings)
    assert [(one.severity, one.pairs) for one in checked.findings] == [("warning", ("f_2.tif",))]
    assert checked.split is not None


@pytest.mark.parametrize("part", ["brightfield", "fluorescence"])
def test_constant_images(part: str) -> None:
    flat = np.full((48, 48), 7, np.uint8)
    images = (flat, image_of(0)) if part == "brightfield" else (image_of(0), flat)
    findings = said([good(1), pair_from("flat", *images)])
    assert (
        "warning",
        f"1 pair(s) have a constant {part}, from which nothing can be learnt: flat; leave them out.",
    ) in (findings)
    assert any(severity == "error" and part in message for severity, message in said([pair_from("flat", *images)]))


@pytest.mark.parametrize("part", ["brightfield", "fluorescence"])
def test_saturated_images(part: str) -> None:
    bright = (image_of(0).astype(np.uint16) * 2).clip(0, 255).astype(np.uint8)
    images = (bright, image_of(0)) if part == "brightfield" else (image_of(0), bright)
    settings = replace(SETTINGS, minimum_area=0)
    ((severity, message),) = said([good(1), pair_from("bright", *images)], settings)
    assert severity == "warning"
    assert f"{part} of 1 pair(s) is saturated" in message
    assert "bright" in message


def test_pixels_that_are_not_finite() -> None:
    holes = image_of(0).astype(np.float32)
    holes[3] = np.nan
    assert any(
        "not finite" in message and "holes" in message for _, message in said([pair_from("holes", holes, holes * 2)])
    )


def test_one_image_as_both_parts() -> None:
    errors = drained([pair_from("twice", image_of(0), image_of(0)), good(1)])[1].errors
    assert [(one.pairs, "the same one twice" in one.message) for one in errors] == [(("twice",), True)]


@pytest.mark.parametrize("part", [0, 1])
def test_copies_in_training_and_validation(part: int) -> None:
    images = [image_of(5), image_of(6)]
    images[part] = image_of(0) if part == 0 else image_of(100)  # of the first good pair
    pairs = [*(good(number) for number in range(5)), pair_from("copy", *images, acquisition="held")]
    ((severity, message),) = said(pairs, replace(SETTINGS, holdout=("held",)))
    assert severity == "warning"
    assert "copy" in message
    assert "trains and validates" in message
    assert said(pairs) == []  # both train


def test_blank_frames_are_no_copies() -> None:
    flat = np.zeros((48, 48), np.uint8)
    pairs = [pair_from("one", image_of(1), flat, "x"), pair_from("two", image_of(2), flat, "held"), good(3), good(4)]
    findings = said(pairs, replace(SETTINGS, holdout=("held",), minimum_area=0))
    assert not any("trains and validates" in message for _, message in findings)


def test_frames_without_enough_mitochondria_are_named_and_train_nothing() -> None:
    sparse = pair_from("sparse", image_of(0), np.eye(48, dtype=np.uint8) * 200)
    _, checked = drained([sparse, *(good(number) for number in range(4))])
    assert [(one.severity, one.pairs) for one in checked.findings] == [("note", ("sparse",))]
    assert checked.split is not None
    assert [pair.name for pair in checked.split.training] == [f"good {number}" for number in range(4)]
    assert len(checked.pairs) == 5


def test_no_frame_with_enough_mitochondria() -> None:
    errors = drained([good(0), good(1)], replace(SETTINGS, minimum_area=0.9))[1].errors
    assert ["90%" in error.message for error in errors] == [True]


def test_nothing_to_train_on_where_only_what_is_held_out_has_mitochondria() -> None:
    sparse = pair_from("sparse", image_of(0), np.eye(48, dtype=np.uint8) * 200)
    errors = drained([sparse, good(1)], replace(SETTINGS, holdout=("field 1",)))[1].errors
    assert ["frames that train" in error.message for error in errors] == [True]


def test_strip_that_trains_has_to_hold_mitochondria_itself() -> None:
    target = np.zeros((40, 400), np.uint8)
    target[:, 350:390] = image_of(0, 40)  # all in the strip that validates
    pair = pair_from("wide", np.resize(image_of(1), (40, 400)), target)
    errors = drained([pair], replace(SETTINGS, holdout=None, minimum_area=0.3))[1].errors
    assert ["frames that train" in error.message for error in errors] == [True]


def test_unknown_acquisition_to_hold_out_is_an_error_before_any_pixel_is_read() -> None:
    events, checked = drained([good(number) for number in range(5)], replace(SETTINGS, holdout=("nowhere",)))
    assert ["'nowhere'" in error.message for error in checked.errors] == [True]
    assert isinstance(events[0], Finding)


def test_pixel_size(tiny_model: Model) -> None:
    pairs = [replace(good(number), pixel_size=size) for number, size in enumerate([0.1, 0.1, 0.102, 0.1, 0.098])]
    assert said(pairs, model=tiny_model) == []
    unknown = [good(number) for number in range(5)]
    ((severity, message),) = said(unknown, replace(SETTINGS, pixel_size_um=None))
    assert severity == "note"
    assert "Advanced" in message
    assert "--pixel-size" in message
    for changed, settings, words in [
        ([*pairs[:4], replace(pairs[4], pixel_size=0.2)], SETTINGS, "another in good 4"),
        (pairs, replace(SETTINGS, pixel_size_um=0.2), "0.2 µm are entered"),
        ([replace(pair, pixel_size=0.3) for pair in pairs], replace(SETTINGS, pixel_size_um=None), "tiny was trained"),
    ]:
        ((severity, message),) = said(changed, settings, tiny_model)
        assert severity == "warning"
        assert words in message


def test_weights_take_the_statistics_of_the_scope() -> None:
    settings = replace(SETTINGS, weighting=replace(SETTINGS.weighting, scope="plane"))
    pairs = [good(number) for number in range(5)]
    _, checked = drained(pairs, settings)
    assert [pair.measured for pair in checked.pairs] == [fact.target for fact in checked.facts]
    assert checked.split is not None
    assert all(pair.measured is not None for pair in checked.split.training)


def test_arrays_in_memory_are_checked_as_files_are() -> None:
    images = np.random.default_rng(0).random((2, 48, 48), np.float32)
    _, checked = drained([pair_of_arrays(f"{number}", f"{number}", *images) for number in range(5)])
    assert checked.errors == []
