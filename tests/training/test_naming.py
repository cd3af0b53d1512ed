"""File names: acquisition, time and depth."""

from __future__ import annotations

import pytest

from napari_mitostain.training.naming import acquisition_names, place_of


@pytest.mark.parametrize(
    ("name", "acquisition"),
    [
        ("x_TL_009_t001_z005_10.png", "x_TL_009"),
        ("x_TL_009_t001_z005.tif", "x_TL_009"),
        ("x_TL_009_T001.ome.tif", "x_TL_009"),
        ("v_002_visit_10017_0.png", "v_002_visit_10017"),
        ("cell_7.tif", "cell"),
        ("dose_0.5_field_TL_3_z2.tif", "dose_0.5_field_TL_3"),
        ("plain.zarr", "plain"),
    ],
)
def test_acquisition_is_the_name_without_time_depth_and_crop(name: str, acquisition: str) -> None:
    assert acquisition_names([name, "other_1.tif"])[name] == acquisition


def test_files_that_only_differ_in_number_are_fields_of_view() -> None:
    assert acquisition_names(["img_1.tif", "img_2.tif"]) == {"img_1.tif": "img_1", "img_2.tif": "img_2"}
    assert acquisition_names(["dose_0.1_1.tif", "dose_0.1_2.tif"]) == {
        "dose_0.1_1.tif": "dose_0.1_1",
        "dose_0.1_2.tif": "dose_0.1_2",
    }


def test_times_and_depths_of_one_field_are_one_acquisition() -> None:
    names = ["x_TL_009_t001_z005_10.png", "x_TL_009_t001_z005_11.png", "x_TL_009_t025_z006_1.png"]
    assert set(acquisition_names(names).values()) == {"x_TL_009"}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("x_t001_z005_10.png", {"T": 1, "Z": 5}),
        ("x_T12.ome.tif", {"T": 12}),
        ("x_z3.zarr", {"Z": 3}),
        ("x_10.tif", {}),
        ("plain.tif", {}),
    ],
)
def test_time_and_depth_are_read_as_far_as_they_are_there(name: str, place: dict[str, int]) -> None:
    assert place_of(name) == place
