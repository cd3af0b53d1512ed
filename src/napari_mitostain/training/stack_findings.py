"""What the files of pairs say about themselves that may not be meant: several channels, other axes, other pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_mitostain.events import Finding, Severity
from napari_mitostain.image import Stack
from napari_mitostain.model.card import SAME_SIZE

_LISTED = 5
"""Names in a sentence at most."""

_Partners = Sequence[tuple[str, Stack, Stack]]
"""Name, brightfield and fluorescence of each."""


def about_stacks(partners: _Partners, channels: tuple[int | None, int | None]) -> Iterator[Finding]:
    """Yield what is remarkable about images that fit together.

    Parameters
    ----------
    partners : sequence of tuple
        Name, brightfield and fluorescence.
    channels : tuple of int, optional
        Those chosen of both.
    """
    yield from _about_channels([(name, one) for name, one, _ in partners], channels[0], "brightfield")
    yield from _about_channels([(name, other) for name, _, other in partners], channels[1], "mitochondria")
    yield from _about_axes(partners)
    yield from _about_pixel_sizes(partners)


def listed(names: Sequence[str]) -> str:
    """Name the first few, as a part of a sentence."""
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")


def finding(severity: Severity, message: str, names: Sequence[str]) -> Finding:
    """Make a finding about some pairs, whose names stand for ``{names}`` in its sentence."""
    return Finding(severity=severity, message=message.replace("{names}", listed(names)), pairs=tuple(names))


def _about_channels(stacks: Sequence[tuple[str, Stack]], channel: int | None, part: str) -> Iterator[Finding]:
    several = [(name, stack) for name, stack in stacks if stack.channel_count > 1]
    if channel is not None or not several:
        return
    name, stack = several[0]
    known = f" ({', '.join(stack.channels)})" if len(stack.channels) == stack.channel_count else ""
    yield Finding(
        severity="warning",
        message=f"The {part} of {name} has {stack.channel_count} channels{known}, of which the first is taken; choose "
        "the right one.",
        pairs=tuple(name for name, _ in several),
    )


def _about_axes(partners: _Partners) -> Iterator[Finding]:
    letters = [({*one.axes} & {*"TZ"}, {*other.axes} & {*"TZ"}) for _, one, other in partners]
    odd = [
        name
        for (name, one, _), (own, others) in zip(partners, letters, strict=True)
        if own != others and len(one.planes()) > 1
    ]
    if odd:
        yield finding("note", "The images of {names} name their axes differently and are paired plane by plane.", odd)


def _about_pixel_sizes(partners: _Partners) -> Iterator[Finding]:
    odd = [
        (name, one.pixel_size, other.pixel_size)
        for name, one, other in partners
        if one.pixel_size is not None and other.pixel_size is not None and differ(one.pixel_size, other.pixel_size)
    ]
    if odd:
        name, own, others = odd[0]
        yield Finding(
            severity="warning",
            message=f"The brightfield of {name} has pixels of {own:.3g} µm and its fluorescence of {others:.3g} µm, "
            "though they should show the same field; correct the files' pixel size or resample one of them.",
            pairs=tuple(name for name, _, _ in odd),
        )


def differ(own: float, other: float) -> bool:
    """Tell whether two pixel sizes are not the same to a generator."""
    return abs(own / other - 1) > SAME_SIZE
