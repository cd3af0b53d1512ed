"""Which image of a file, and which channel of it, is meant where none was named."""

from __future__ import annotations

from collections.abc import Iterator

from napari_mitostain.events import Notice
from napari_mitostain.image.plane import Stack


def notices_of_first(stack: Stack, channel: int | None) -> Iterator[Notice]:
    """Say that the first image is taken, where its file holds several, and the first channel, where none was chosen."""
    if stack.others:
        yield Notice(
            message=f"{stack.name} has {stack.others + 1} images, of which the first is taken; save the others as "
            "files of their own."
        )
    if channel is None and stack.channel_count > 1:
        yield Notice(
            message=f"{stack.name} has {stack.channel_count} channels{_named(stack)}, of which the first is taken; "
            "choose another by its number (--channel)."
        )


def _named(stack: Stack) -> str:
    """List the channels with their numbers, where the file names all of them."""
    if len(stack.channels) != stack.channel_count:
        return ""
    return f" ({', '.join(f'{number} {name}' for number, name in enumerate(stack.channels))})"
