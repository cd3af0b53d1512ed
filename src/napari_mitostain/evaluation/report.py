"""A report: scores of every plane, and of the baselines on the same planes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.errors import FileError
from napari_mitostain.events import finite_or_none
from napari_mitostain.image import (
    IntensityRange,
    Stack,
    fill_non_finite,
    load_array,
    matched_planes,
    notices_of_first,
    relative_stain,
)
from napari_mitostain.image.files import is_image_folder, list_images, read_stack
from napari_mitostain.scoring import Scores, ceiling, constant_baseline, mean_scores, score, variance_baseline


@dataclass(frozen=True)
class Report:
    """Scores by plane and their means.

    Attributes
    ----------
    planes : mapping of str to Scores
        Of the stain, for each plane.
    baselines : mapping of str to Scores
        Means over the same planes: "constant", "variance" where brightfield was given, "ceiling".
    notices : tuple of str
        What the user should know about the images.
    """

    planes: Mapping[str, Scores]
    baselines: Mapping[str, Scores]
    notices: tuple[str, ...] = ()

    @property
    def mean(self) -> Scores:
        """Mean over the planes."""
        return mean_scores(list(self.planes.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values; None stands for the infinite PSNR of equal images."""
        told: dict[str, Any] = finite_or_none(
            {
                "mean": self.mean.to_dict(),
                "baselines": {name: scores.to_dict() for name, scores in self.baselines.items()},
                "planes": {name: scores.to_dict() for name, scores in self.planes.items()},
                "notices": list(self.notices),
            }
        )
        return told


def evaluate(predicted: Any, target: Any, brightfield: Any = None, channel: int | None = None) -> Report:
    """Score stains against the fluorescence of the same places.

    Planes are compared that have the same time and depth, in whatever order the axes of both stacks are.

    Parameters
    ----------
    predicted, target, brightfield : Path, str, Stack or array-like
        A file, a folder of files with the same names in each, or an image. Integer predictions span the range of their
        type, float ones lie in [0, 1], and what of them is not finite counts as 0, with a notice; targets are scaled as
        for training (see `IntensityRange.fit`). Without `brightfield` the variance baseline is left out.
    channel : int, optional
        Position of the fluorescence along axis C of the targets; by default the first, with a notice if there are
        several.

    Returns
    -------
    Report

    Raises
    ------
    FileError
        If a file is missing or has no partner.
    ImageError
        If sizes or axes differ, there is no such channel, or a float prediction leaves [0, 1].
    """
    planes: dict[str, Scores] = {}
    notices: list[str] = []
    baselines: dict[str, list[Scores]] = {}
    for image, sources in _matched(predicted, target, brightfield):
        stacks = [_opened(source) for source in sources]
        notices.extend(_of_first(stacks, channel))
        for name, stained, truth, bright in _planes(image, stacks, channel or 0):
            if holes := stained.size - np.count_nonzero(np.isfinite(stained)):
                notices.append(f"{holes} pixel(s) of the prediction for {name} are not finite and count as 0.")
            planes[name] = score(relative_stain(stained, name), truth)
            baselines.setdefault("constant", []).append(score(constant_baseline(truth), truth))
            if bright is not None:
                baselines.setdefault("variance", []).append(score(variance_baseline(bright, truth), truth))
            baselines.setdefault("ceiling", []).append(score(ceiling(truth), truth))
    return Report(planes, {name: mean_scores(scores) for name, scores in baselines.items()}, tuple(notices))


_Plane = tuple[str, NDArray[Any], NDArray[np.float32], NDArray[Any] | None]


def _planes(name: str, stacks: Sequence[Stack], channel: int) -> Iterator[_Plane]:
    stained, target, *others = stacks
    pairs = matched_planes(target, stained, name, ("target", "stain"), (channel, 0))
    brights = [matched_planes(target, bright, name, ("target", "brightfield"), (channel, 0)) for bright in others]
    truths = target.read_planes(channel)
    intensities = IntensityRange.fit(truths)
    for number, (truth, (_, own)) in enumerate(zip(truths, pairs, strict=True)):
        bright = fill_non_finite(others[0].read(brights[0][number][1])) if others else None
        label = name if len(pairs) == 1 else f"{name}[{number}]"
        yield label, stained.read(own), intensities.apply(fill_non_finite(truth)), bright


def _of_first(stacks: Sequence[Stack], channel: int | None) -> Iterator[str]:
    """Say which image and channel is taken where there are several; only the channel of a target can be chosen."""
    stained, target, *others = stacks
    yield from (notice.message for notice in notices_of_first(target, channel))
    for stack in (stained, *others):
        yield from (notice.message for notice in notices_of_first(stack, 0))
        if stack.channel_count > 1:
            yield f"{stack.name} has {stack.channel_count} channels, of which the first is taken."


def _matched(predicted: Any, target: Any, brightfield: Any) -> list[tuple[str, list[Any]]]:
    """Pair up the files of folders by name; anything else is one image."""
    given = [source for source in (predicted, target, brightfield) if source is not None]
    if not all(isinstance(source, (str, Path)) and is_image_folder(Path(source)) for source in given):
        return [(Path(target).name if isinstance(target, (str, Path)) else "image", given)]
    files = [_by_stem(Path(folder)) for folder in given]
    for folder, others in zip(given[1:], files[1:], strict=True):
        if missing := sorted(set(files[0]) - set(others)):
            raise FileError(f"Expected a partner for {files[0][missing[0]].name} in {folder}, got none; add it there.")
    return [(path.name, [others[stem] for others in files]) for stem, path in files[0].items()]


def _by_stem(folder: Path) -> dict[str, Path]:
    """List the images of a folder by their names without suffix, which may differ between stain and target."""
    files: dict[str, Path] = {}
    for path in list_images(folder):
        other = files.setdefault(path.stem.removesuffix(".ome"), path)
        if other is not path:
            raise FileError(
                f"Expected one image of each name in {folder}, got {other.name} and {path.name}; remove one."
            )
    return files


def _opened(source: Any) -> Stack:
    if isinstance(source, Stack):
        return source
    return read_stack(source) if isinstance(source, (str, Path)) else load_array(source)
