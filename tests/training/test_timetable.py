"""When things happen in a run: by its epochs alone, or by the clock."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from napari_mitostain.config import TrainSettings
from napari_mitostain.training.checkpoints import Progress
from napari_mitostain.training.timetable import Timetable, learning_factor

EPOCHS = TrainSettings(epochs=100, batch_size=4, patch=32, depth=2)
MINUTES = replace(EPOCHS, epochs=None, minutes=10)


def validated(timetable: Timetable) -> list[int]:
    """Go through a run of epochs and return those that are validated."""
    at, found = Progress(), []
    while timetable.goes_on(at):
        at.batch = timetable.steps
        if timetable.is_due(at):
            found.append(at.epoch)
            at.validated = {"epoch": at.epoch + 1, "seconds": 0.0, "spent": 0.0}
        at.epoch, at.batch = at.epoch + 1, 0
    return found


@pytest.mark.parametrize("epochs", [1, 3, 20, 40, 100, 200, 1000])
def test_run_is_validated_some_twenty_times_evenly_and_at_its_end(epochs: int) -> None:
    found = validated(Timetable(replace(EPOCHS, epochs=epochs), steps=10, scored=32 * 32))
    assert found[-1] == epochs - 1
    assert min(20, epochs) <= len(found) <= 26
    gaps = {after - before for before, after in pairwise(found)}
    assert len(gaps - {found[-1] - found[-2] if len(found) > 1 else 0}) <= 1


def test_validation_of_many_pixels_is_rarer() -> None:
    few, many = (validated(Timetable(EPOCHS, steps=10, scored=pixels)) for pixels in (32 * 32, 2**24))
    assert len(few) == 25
    assert len(many) in (5, 6)


def test_learning_rate_rises_then_falls_or_stays() -> None:
    assert learning_factor(0, 0.0, "cosine") == learning_factor(0, 0.0, "constant") == pytest.approx(1 / 30)
    assert learning_factor(100, 0.5, "cosine") == pytest.approx(0.5)
    assert learning_factor(100, 1.0, "cosine") == pytest.approx(0)
    assert learning_factor(100, 1.0, "constant") == 1


def test_epoch_of_a_run_of_minutes_ends_before_a_validation_is_missed() -> None:
    timetable = Timetable(MINUTES, steps=10**6, scored=1)
    assert not timetable.is_over(Progress(batch=5, seconds=23.9))
    assert timetable.is_over(Progress(batch=5, seconds=24.1))  # a twenty-fifth of ten minutes
    assert not timetable.is_over(Progress(batch=0, seconds=500))
    assert timetable.is_over(Progress(batch=1, seconds=600, epoch_seconds=599))


def test_run_of_minutes_spends_a_tenth_of_them_on_validation() -> None:
    timetable = Timetable(MINUTES, steps=10, scored=1)
    at = Progress(epoch=3, batch=10, seconds=100, epoch_seconds=70)
    at.validated = {"epoch": 3, "seconds": 70, "spent": 9}
    assert timetable.is_due(at)
    at.validated["spent"] = 11
    assert not timetable.is_due(at)
    at.seconds = 600
    assert timetable.is_due(at)  # the end always is


def test_interrupted_epoch_is_ended_even_when_the_time_is_up() -> None:
    timetable = Timetable(MINUTES, steps=10, scored=1)
    assert timetable.goes_on(Progress(epoch=3, batch=4, seconds=700))
    assert not timetable.goes_on(Progress(epoch=4, batch=0, seconds=700))
