"""Text that every format can hold."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 forbids: control characters, and the surrogates that stand for bytes of a name that is not UTF-8."""


def storable(text: str) -> str:
    r"""Return the text with a replacement character for whatever a file cannot say.

    Examples
    --------
    >>> storable("µ\x01m")
    'µ�m'
    """
    return _UNSTORABLE.sub("\ufffd", text)
