"""Settings: what they refuse, and that they survive JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mitostain.config import ScalingSettings, StainSettings, TrainSettings, WeightSettings
from napari_mitostain.errors import SettingsError

Settings = ScalingSettings | StainSettings | TrainSettings | WeightSettings

BAD: list[tuple[type, dict[str, Any]]] = [
    (ScalingSettings, {"background_px": 0.5}),
    (ScalingSettings, {"background_px": math.nan}),
    (ScalingSettings, {"background_px": math.inf}),
    (ScalingSettings, {"background_px": "20"}),
    (ScalingSettings, {"percentiles": (99.0, 1.0)}),
    (ScalingSettings, {"percentiles": (1.0, 50.0, 99.0)}),
    (ScalingSettings, {"percentiles": ("low", "high")}),
    (ScalingSettings, {"percentiles": 1.0}),
    (ScalingSettings, {"percentiles": (math.nan, 99.0)}),
    (ScalingSettings, {"percentiles": (1.0, 101.0)}),
    (WeightSettings, {"scope": "world"}),
    (WeightSettings, {"a": (1.0, 2.0)}),
    (WeightSettings, {"b": (1.0, 2.0, 3.0, 4.0)}),
    (WeightSettings, {"a": ("x", "y", "z")}),
    (WeightSettings, {"a": "xyz"}),
    (WeightSettings, {"a": (True, False, True)}),
    (WeightSettings, {"b": 0.5}),
    (WeightSettings, {"b": (0.0, 0.2, math.nan)}),
    (WeightSettings, {"sigmas": (1.0, math.inf)}),
    (WeightSettings, {"sigmas": None}),
    (WeightSettings, {"sigmas": (3.0, 1.0)}),
    (WeightSettings, {"sigmas": (1.0, 1.0)}),
    (StainSettings, {"tile": 0}),
    (StainSettings, {"tile": -5}),
    (StainSettings, {"tile": 2.5}),
    (StainSettings, {"tile": True}),
    (StainSettings, {"tile": "512"}),
    (StainSettings, {"device": "abacus"}),
    (StainSettings, {"precision": "float8"}),
    (StainSettings, {"precision": "float16", "backend": "openvino"}),
    (TrainSettings, {"precision": "float16"}),
    (StainSettings, {"gpu_memory_gb": 0}),
    (StainSettings, {"gpu_memory_gb": float("nan")}),
    (StainSettings, {"backend": "abacus"}),
    (TrainSettings, {}),
    (TrainSettings, {"epochs": 1, "minutes": 1.0}),
    *(
        (TrainSettings, {"epochs": 1} | values)
        for values in (
            {"batch_size": 0},
            {"batch_size": 1.5},
            {"batch_size": True},
            {"crops_per_frame": 0},
            {"base_channels": 0},
            {"depth": 0},
            {"patch": 100},
            {"patch": 0},
            {"patch": 16, "depth": 4},
            {"seed": -1},
            {"learning_rate": 0.0},
            {"learning_rate": math.nan},
            {"learning_rate": math.inf},
            {"minimum_area": -0.1},
            {"minimum_area": math.inf},
            {"minimum_area": 1.01},
            {"weight_l1": -1.0},
            {"weight_l1": math.inf},
            {"weight_correlation": -1.0},
            {"pixel_size_um": 0.0},
            {"pixel_size_um": -0.1},
            {"pixel_size_um": "0.1"},
            {"generator_loss": "l2"},
            {"discriminator_loss": "hinge"},
            {"split": "random"},
            {"weighting": None},
            {"weighting": 5},
            {"weighting": {"a": (0.2, 0.5, 0.3)}},
            {"device": "abacus"},
        )
    ),
    *((TrainSettings, {"epochs": value}) for value in (0, -1, 1.5, "5", True)),
    *((TrainSettings, {"minutes": value}) for value in (0, -1.0, math.nan, math.inf, "5")),
]


@pytest.mark.parametrize(("kind", "values"), BAD)
def test_senseless_settings_are_refused_in_a_sentence(kind: type[Settings], values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"^Expected .*, got .*; .*\.$") as caught:
        kind(**values)
    assert "\n" not in str(caught.value)


def settings_of_all_kinds() -> st.SearchStrategy[Settings]:
    number = st.floats(0.1, 100)
    three = st.tuples(number, number, number)
    return st.one_of(
        st.builds(ScalingSettings, st.floats(1, 100), st.just((0.5, 99.5))),
        st.builds(WeightSettings, three, three, st.just((0.5, 2.5)), st.sampled_from(["patch", "plane", "stack"])),
        st.builds(StainSettings, st.sampled_from(["auto", "cpu"]), tile=st.none() | st.integers(1, 4096)),
        st.builds(
            TrainSettings,
            epochs=st.integers(1, 9),
            weighting=st.builds(WeightSettings, three, three, st.just((0.5, 2.5)), st.sampled_from(["patch", "stack"])),
            holdout=st.none() | st.lists(st.text(max_size=5), max_size=3).map(tuple),
            seed=st.integers(0, 2**40),
        ),
    )


@given(given_settings=settings_of_all_kinds())
def test_settings_survive_json(given_settings: Settings) -> None:
    text = json.dumps(given_settings.to_dict())
    assert type(given_settings).from_dict(json.loads(text)) == given_settings


@pytest.mark.parametrize("kind", [ScalingSettings, WeightSettings, StainSettings])
def test_unknown_names_are_refused(kind: type[Settings]) -> None:
    with pytest.raises(SettingsError, match="'colour'"):
        kind.from_dict({"colour": "green"})


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StainSettings().tile = 5  # type: ignore[misc]


def test_default_weights_are_those_of_the_paper() -> None:
    settings = WeightSettings()
    assert (settings.a, settings.b, settings.sigmas) == ((0.2, 0.5, 0.3), (0.0, 0.2, 0.7), (1.0, 3.0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"sigmas": (-1.0, 7.5), "scope": "stack"}, []),
        ({"a": (0.1, 0.5, 0.3), "b": (0.0, 0.1, 0.6)}, []),  # meets up to rounding: 0.1 + 0.5 is 0.6
        ({"a": (0.0, 0.0, 0.0), "b": (1.0, 1.0, 1.0)}, []),  # plain L1
        ({"b": (0.0, 0.3, 0.7)}, ["jump at M1 and M2", "fall"]),
        ({"a": (0.2, 0.5, 0.2), "b": (0.0, 0.3, 0.8)}, ["jump at M1"]),
        ({"a": (0.2, 0.5, -0.1)}, ["fall"]),
        ({"a": (0.2, 0.5, 0.4)}, ["outside 0 to 1"]),
        ({"a": (0.3, 0.5, 0.3), "b": (-0.1, 0.2, 0.7)}, ["outside 0 to 1"]),
    ],
)
def test_unusual_weights_are_a_concern_and_no_error(changes: dict[str, Any], words: list[str]) -> None:
    concerns = WeightSettings(**changes).concerns()
    assert len(concerns) == len(words)
    for concern, word in zip(concerns, words, strict=True):
        assert word in concern


def test_run_of_an_older_version_weighs_patch_by_patch() -> None:
    values = TrainSettings(epochs=1).to_dict()
    del values["weighting"]
    assert TrainSettings.from_dict(values).weighting == WeightSettings(scope="patch")
