"""Aligned pairs of brightfield and fluorescence, found in files; their pixels stay there until they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_mitostain.config import ScalingSettings
from napari_mitostain.errors import FileError, ImageError, clause
from napari_mitostain.events import Finding
from napari_mitostain.image import Stack
from napari_mitostain.image.files import is_image_folder, list_images, read_stack
from napari_mitostain.training.naming import acquisition_names
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.spec import PARTS, PairsSpec, pairs_in
from napari_mitostain.training.stack_findings import about_stacks, listed
from napari_mitostain.training.stacks import stack_pairs
from napari_mitostain.training.store import store_pairs

__all__ = ["Opened", "open_pairs", "open_stacks", "stack_pairs", "store_pairs"]

_Files = tuple[str, Path, Path]
"""Name, brightfield and fluorescence."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Pairs, and what was found out about their files without reading pixels.

    Attributes
    ----------
    pairs : list of Pair
    findings : list of Finding
    skip_unreadable : bool
        Whether pairs that turn out to be unreadable are left out.
    files : mapping of str to tuple of Path
        Brightfield and fluorescence of each name, those that were not opened included; empty for pairs in memory.
    """

    pairs: list[Pair]
    findings: list[Finding] = field(default_factory=list)
    skip_unreadable: bool = False
    files: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)


def open_pairs(
    spec: PairsSpec | Path, scaling: ScalingSettings = ScalingSettings(), only: Collection[str] | None = None
) -> Opened:
    """List the pairs of two images, two folders, or a folder with ``brightfield/`` and ``mitochondria/``.

    Parameters
    ----------
    spec : PairsSpec or Path
        Stacks count plane by plane.
    scaling : ScalingSettings
        For the brightfield planes.
    only : collection of str, optional
        Names of the files to open; others that lie beside them change nothing. By default all.

    Returns
    -------
    Opened
        An image that cannot be opened, has no partner or does not fit it is named in a finding: an error, or a warning
        where the spec says to leave it out.

    Raises
    ------
    FileError
        If a folder is missing or holds no image.
    """
    spec = spec if isinstance(spec, PairsSpec) else pairs_in(spec)
    files, findings = _files(spec)
    acquisitions = acquisition_names([name for name, _, _ in files] if only is None else list(only))
    pairs: list[Pair] = []
    partners: list[tuple[str, Stack, Stack]] = []
    for name, *paths in files:
        if only is not None and name not in only:
            continue
        try:
            brightfield, fluorescence = map(read_stack, paths)
            shift = spec.shifts.get(acquisitions[name], (0, 0))
            stacks = name, acquisitions[name], scaling, spec.channels, shift
            pairs += stack_pairs(brightfield, fluorescence, *stacks)
            partners.append((name, brightfield, fluorescence))
        except (FileError, ImageError) as error:
            findings.append(unusable(name, error, spec.skip_unreadable))
    if only is None and (unknown := sorted(spec.shifts.keys() - set(acquisitions.values()))):
        message = (
            f"Expected shifts of acquisitions among {listed(sorted(set(acquisitions.values())))}, "
            f"got one of {listed(unknown)}; correct the name."
        )
        findings.append(Finding(severity="error", message=message))
    findings += about_stacks(partners, spec.channels)
    return Opened(pairs, findings, spec.skip_unreadable, {name: (one, other) for name, one, other in files})


def open_stacks(
    partners: Sequence[tuple[str, Stack, Stack]],
    scaling: ScalingSettings = ScalingSettings(),
    channels: tuple[int | None, int | None] = (None, None),
    shift: tuple[int, int] = (0, 0),
) -> Opened:
    """List the pairs of stacks that are open already, such as layers; what does not fit is named in a finding.

    Parameters
    ----------
    partners : sequence of tuple
        Name, brightfield and fluorescence; each is an acquisition of its own.
    scaling, channels, shift
        See `stack_pairs`.
    """
    pairs: list[Pair] = []
    findings: list[Finding] = []
    fitting = []
    for name, brightfield, fluorescence in partners:
        try:
            pairs += stack_pairs(brightfield, fluorescence, name, name, scaling, channels, shift)
            fitting.append((name, brightfield, fluorescence))
        except (FileError, ImageError) as error:
            findings.append(unusable(name, error, skipped=False))
    return Opened(pairs, findings + list(about_stacks(fitting, channels)))


def unusable(name: str, error: FileError | ImageError, skipped: bool) -> Finding:
    """Say why an image cannot be used, and whether it is left out for it."""
    if skipped:
        return Finding(severity="warning", message=f"{name} is left out: {clause(error)}.", pairs=(name,))
    message = str(error) if name in str(error) else f"Expected {name} to be usable, got an error: {clause(error)}."
    return Finding(severity="error", message=message, pairs=(name,))


def _files(spec: PairsSpec) -> tuple[list[_Files], list[Finding]]:
    """Return the images that have a partner, and a finding about those that have none."""
    sides = spec.brightfield, spec.mitochondria
    if not any(is_image_folder(side) or _is_missing_folder(side) for side in sides):
        return [(spec.brightfield.name, *sides)], []
    for side in sides:
        if not side.is_dir():
            raise FileError(
                f"Expected a folder {side}, got none; choose the folder that holds "
                f"{' and '.join(f'{part}/' for part in PARTS)}, or put the images of the pairs there."
            )
    found = [{path.name: path for path in list_images(side)} for side in sides]
    both = sorted(found[0].keys() & found[1].keys())
    files = [(name, found[0][name], found[1][name]) for name in both]
    return files, list(_about_alone(sorted(found[0].keys() ^ found[1].keys()), spec))


def _is_missing_folder(path: Path) -> bool:
    return not path.exists() and not path.suffix


def _about_alone(alone: Sequence[str], spec: PairsSpec) -> Iterator[Finding]:
    if alone and spec.skip_unreadable:
        left = f"{len(alone)} image(s) without a partner of the same name are left out: {listed(alone)}."
        yield Finding(severity="warning", message=left, pairs=tuple(alone))
    elif alone:
        yield Finding(
            severity="error",
            message=f"Expected the same file names in {' and '.join(PARTS)}, got {len(alone)} without a partner "
            f"({listed(alone)}); add the partners or leave them out.",
            pairs=tuple(alone),
        )
