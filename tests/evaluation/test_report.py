"""Reports: files and folders matched by name, every stain beside its baselines."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.evaluation.report import evaluate
from napari_mitostain.image import load_array
from napari_mitostain.scoring import ceiling, constant_baseline, score, variance_baseline


def blobs(seed: int, shape: tuple[int, ...] = (48, 50)) -> np.ndarray:
    """Draw an 8-bit target."""
    image = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return (255 * (image - image.min()) / np.ptp(image)).astype(np.uint8)


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".png":
        Image.fromarray(image).save(path)
    else:
        tifffile.imwrite(path, image, photometric="minisblack")
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Stains (16-bit PNG and float TIFF), targets (8 bit) and brightfield of the same names."""
    random = np.random.default_rng(9)
    for seed, name in enumerate(("a.png", "b.tif")):
        target = blobs(seed)
        stain = (target / 255 + random.normal(0, 0.1, target.shape)).clip(0, 1).astype(np.float32)
        as_png = name.endswith("png")
        write(tmp_path / "stain" / name, (stain * 65535).astype(np.uint16) if as_png else stain)
        write(tmp_path / "target" / name, target)
        write(tmp_path / "bright" / name, random.integers(0, 255, target.shape, np.uint8))
    return tmp_path / "stain", tmp_path / "target", tmp_path / "bright"


def test_perfect_prediction_scores_one() -> None:
    target = blobs(0)
    mean = evaluate(target, target).mean
    assert mean.ssim == pytest.approx(1)
    assert mean.pearson == pytest.approx(1)
    assert mean.detail_pearson == pytest.approx(1)
    assert mean.psnr == inf


def test_report_of_a_perfect_prediction_is_json_that_any_program_reads() -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    report = json.loads(json.dumps(evaluate(blobs(0), blobs(0)).to_dict()), parse_constant=refuse)
    assert report["mean"]["psnr"] is None


def test_folders_are_matched_by_name(folders: tuple[Path, Path, Path]) -> None:
    stain, target, bright = folders
    report = evaluate(*folders)
    assert list(report.planes) == ["a.png", "b.tif"]
    for name in report.planes:
        single = evaluate(stain / name, target / name, bright / name)
        assert single.planes == {name: report.planes[name]}
    assert report.mean.pearson == pytest.approx(np.mean([scores.pearson for scores in report.planes.values()]))


def test_scores_and_baselines_are_those_of_the_functions(folders: tuple[Path, Path, Path]) -> None:
    stain, target, bright = (folder / "b.tif" for folder in folders)
    truth = tifffile.imread(target) / np.float32(255)
    report = evaluate(stain, target, bright)
    assert report.mean == score(tifffile.imread(stain), truth)
    assert dict(report.baselines) == {
        "constant": score(constant_baseline(truth), truth),
        "variance": score(variance_baseline(tifffile.imread(bright), truth), truth),
        "ceiling": score(ceiling(truth), truth),
    }


def test_baseline_of_the_brightfield_only_with_brightfield(folders: tuple[Path, Path, Path]) -> None:
    assert list(evaluate(*folders).baselines) == ["constant", "variance", "ceiling"]
    assert list(evaluate(*folders[:2]).baselines) == ["constant", "ceiling"]


def test_sixteen_bit_png_of_a_stain_is_the_stain(tmp_path: Path) -> None:
    target = blobs(0)
    stain = (0.5 * target / 255).astype(np.float32)
    png = write(tmp_path / "stain.png", np.rint(stain * 65535).astype(np.uint16))
    scores = evaluate(png, write(tmp_path / "target.png", target)).mean
    exact = evaluate(stain, target).mean
    assert exact.psnr < 20  # half the intensity is no perfect stain, although it correlates perfectly
    # 16 bits are 257 levels for each of the 8 bits that are scored: a pixel may round to the next, 1 of 255
    assert scores.psnr == pytest.approx(exact.psnr, abs=0.1)
    assert scores.ssim == pytest.approx(exact.ssim, abs=1e-3)


@pytest.mark.parametrize("gone", [1, 2])
def test_missing_partner_is_named(folders: tuple[Path, Path, Path], gone: int) -> None:
    (folders[gone] / "b.tif").unlink()
    with pytest.raises(FileError, match=rf"b\.tif in .*{folders[gone].name}"):
        evaluate(*folders)


def test_targets_without_a_stain_are_left_alone(folders: tuple[Path, Path, Path]) -> None:
    write(folders[1] / "c.tif", blobs(5))
    assert list(evaluate(*folders[:2]).planes) == ["a.png", "b.tif"]


def test_names_with_dots_are_told_apart_and_suffixes_may_differ(tmp_path: Path) -> None:
    for seed, stem in enumerate(("dose_0.1", "dose_0.5")):
        write(tmp_path / "stain" / f"{stem}.ome.tif", blobs(seed))
        write(tmp_path / "target" / f"{stem}.png", blobs(seed))
    report = evaluate(tmp_path / "stain", tmp_path / "target")
    assert list(report.planes) == ["dose_0.1.ome.tif", "dose_0.5.ome.tif"]
    assert report.mean.pearson == pytest.approx(1)


def test_planes_are_matched_by_their_axes_in_whatever_order(tmp_path: Path) -> None:
    target = np.stack([[blobs(10 * z + t) for t in range(2)] for z in range(3)])  # (Z, T, Y, X)
    turned = load_array(np.swapaxes(target, 0, 1), "TZYX")
    report = evaluate(turned, load_array(target, "ZTYX"), turned)
    assert [scores.pearson for scores in report.planes.values()] == pytest.approx([1] * 6)
    assert report.baselines["variance"] == evaluate(target, target, target).baselines["variance"]
    with pytest.raises(ImageError, match="same axes in both images of image, got Z 3, T 2 in the target and Z 6"):
        evaluate(target.reshape(6, *target.shape[2:]), load_array(target, "ZTYX"))


def test_channel_of_the_target_is_chosen_and_otherwise_told() -> None:
    fluorescence, brightfield = blobs(1), blobs(2)
    target = load_array(np.stack([brightfield, fluorescence]), "CYX", "both.tif")
    report = evaluate(fluorescence, target, target, channel=1)
    assert report.mean.pearson == pytest.approx(1)
    assert report.baselines["variance"] == evaluate(fluorescence, fluorescence, brightfield).baselines["variance"]
    assert report.notices == ("both.tif has 2 channels, of which the first is taken.",)  # of the brightfield
    first = evaluate(fluorescence, target)
    assert first.mean.pearson < 0.9
    assert ["choose another by its number" in notice for notice in first.notices] == [True]
    with pytest.raises(ImageError, match="channel from 0 to 1"):
        evaluate(fluorescence, target, channel=2)


def test_two_images_of_one_name_are_refused(folders: tuple[Path, Path, Path]) -> None:
    write(folders[1] / "b.png", blobs(1))
    with pytest.raises(FileError, match=r"b\.png and b\.tif"):
        evaluate(*folders[:2])


@pytest.mark.parametrize("shape", [(48, 49), (50, 48), (2, 48, 50)])
def test_images_of_different_size(tmp_path: Path, shape: tuple[int, ...]) -> None:
    paths = write(tmp_path / "stain.tif", blobs(0)), write(tmp_path / "target.tif", blobs(0, shape))
    with pytest.raises(ImageError, match=r"one size, got .* of target\.tif"):
        evaluate(*paths)
    with pytest.raises(ImageError, match="one size"):
        evaluate(paths[0], paths[0], paths[1])


def test_images_too_small_to_score() -> None:
    with pytest.raises(ImageError, match="7×7"):
        evaluate(np.zeros((6, 40)), np.zeros((6, 40)))


def test_planes_of_a_stack_are_scored_one_by_one_in_any_order_of_axes() -> None:
    target, stain = blobs(0, (3, 30, 32)), blobs(1, (3, 30, 32))
    report = evaluate(stain, target)
    assert list(report.planes) == ["image[0]", "image[1]", "image[2]"]
    turned = evaluate(load_array(stain.transpose(1, 2, 0), "YXZ"), load_array(target.transpose(2, 0, 1), "XZY"))
    assert dict(turned.planes) == dict(report.planes)


def test_camera_units_of_the_target_do_not_matter() -> None:
    target, stain = blobs(0), blobs(0) / np.float32(255)
    assert evaluate(stain, target.astype(np.uint16) * 20 + 300).mean.pearson > 0.99
    # scaled from minimum to the 99.9th percentile, so the brightest thousandth is clipped: close to 1, not 1


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_holes_in_the_images_give_finite_scores(hole: float) -> None:
    target, stain, bright = (blobs(seed).astype(np.float32) for seed in (0, 0, 2))
    for image in (target, stain, bright):
        image[4, 5:9] = hole
    report = evaluate(stain / 255, target, bright)
    values: list[Any] = [*report.mean.to_dict().values()]
    values += [value for scores in report.baselines.values() for value in scores.to_dict().values()]
    assert np.isfinite(values).all()


@pytest.mark.parametrize("scale", [255, -1, 1.002])
def test_float_prediction_outside_0_to_1_is_refused(scale: float) -> None:
    with pytest.raises(ImageError, match=r"Expected a stain in \[0, 1\] for image, got"):
        evaluate(blobs(0) / 255 * scale, blobs(0))


def test_float_prediction_outside_0_to_1_by_rounding_is_clipped() -> None:
    stain = blobs(0) / np.float32(255)
    assert evaluate(stain * np.float32(1.0005), blobs(0)).mean == evaluate((stain * 1.0005).clip(0, 1), blobs(0)).mean


def test_planes_are_read_once() -> None:
    class Lazy:
        shape, dtype = (3, 30, 32), np.dtype(np.uint8)

        def __init__(self) -> None:
            self.read: list[Any] = []

        def __getitem__(self, where: Any) -> np.ndarray:
            self.read.append(where[0])
            return blobs(0, self.shape)[where]

    stain, target = Lazy(), Lazy()
    evaluate(load_array(stain), load_array(target))
    assert stain.read == target.read == [0, 1, 2]


def test_missing_files_and_folders(tmp_path: Path, folders: tuple[Path, Path, Path]) -> None:
    for predicted, target in ((tmp_path / "absent", folders[1]), (folders[0], tmp_path / "absent.tif")):
        with pytest.raises(FileError):
            evaluate(predicted, target)
