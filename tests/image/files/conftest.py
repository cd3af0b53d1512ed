"""Images that the tests of reading and writing share."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.image.files import Provenance


@pytest.fixture
def provenance() -> Provenance:
    return Provenance(
        software="napari-mitostain 0.1",
        channel_name="Mitochondria (digitally predicted)",
        description="Relative intensity λ, not quantitative fluorescence.",
        details={"model": "h9c2", "sha256": "c0ffee", "settings": {"tile": 512}},
    )


@pytest.fixture
def ramp() -> np.ndarray:
    """Three planes of 20 × 30, every pixel different."""
    return np.arange(1800, dtype=np.uint16).reshape(3, 20, 30)
