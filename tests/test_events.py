"""Events are frozen, know their time, and turn into JSON without their arrays."""

from __future__ import annotations

import dataclasses
import json
import time

import numpy as np
import pytest

from napari_mitostain import events
from napari_mitostain.events import (
    EpochDone,
    Event,
    FileDone,
    Finding,
    Measured,
    Notice,
    PairDone,
    PartDone,
    PlaneDone,
    RunDone,
    RunStarted,
    StartScored,
    StepDone,
    TileDone,
    UnitsKept,
)

TILE = TileDone(plane=(1,), box=(slice(0, 2), slice(0, 3)), values=np.zeros((2, 3), np.float32), fraction=0.5)
EVENTS = [
    TILE,
    PlaneDone(plane=(0,), values=np.zeros((2, 3), np.float32), done=1, total=2),
    Notice(message="said"),
    PairDone(name="a.tif", kept=True, done=1, total=2),
    StepDone(step=3, fraction=0.25),
    EpochDone(epoch=1, fraction=0.5, losses={"l1": 0.5}, scores={}),
    Measured(done=1, total=2),
    FileDone(source="in.tif", output="out.tif"),
    RunStarted(output="run", training=3, validation=1, acquisitions={"training": ["a"], "validation": []}),
    RunDone(model="m.safetensors", scores={"ssim": 0.5}),
    Finding(
        severity="warning", message="Shift it.", acquisition="a", shift=(7, -5), picture=np.zeros((2, 9, 3), np.uint8)
    ),
    PartDone(fraction=0.5),
    UnitsKept(count=3),
    StartScored(scores={"start": {"ssim": 0.4}, "constant": {"ssim": 0.3}}),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_is_a_json_object_that_names_its_kind_and_time(event: object) -> None:
    before = event.to_dict()  # type: ignore[attr-defined]
    after = json.loads(json.dumps(before))
    assert after["event"] == type(event).__name__
    assert abs(after["time"] - time.time()) < 3600


def test_json_has_the_plain_values_and_leaves_arrays_and_slices_out() -> None:
    assert TILE.to_dict() == {"event": "TileDone", "time": TILE.time, "plane": (1,), "fraction": 0.5}
    epoch = EVENTS[5].to_dict()
    assert epoch["losses"] == {"l1": 0.5}
    assert epoch["scores"] == {}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_is_frozen(event: object) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.time = 0  # type: ignore[attr-defined]


def test_every_kind_of_event_is_tested_here() -> None:
    assert {type(event).__name__ for event in EVENTS} == {
        kind.__name__ for kind in Event.__subclasses__() if kind.__module__.startswith(events.__name__)
    }
