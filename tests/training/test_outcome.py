"""Whether training helped, in one sentence that is true."""

from __future__ import annotations

import pytest

from napari_mitostain.training.outcome import verdict_of


def scores(pearson: float, detail: float) -> dict[str, float]:
    return {"ssim": 0.5, "psnr": 20.0, "pearson": pearson, "detail_pearson": detail}


@pytest.mark.parametrize(
    ("best", "start", "said"),
    [
        ((0.65, 0.35), (0.60, 0.32), "Fine-tuning helped:"),
        ((0.65, 0.32), (0.60, 0.32), "Fine-tuning helped in Pearson only:"),
        ((0.65, 0.30), (0.60, 0.32), "Fine-tuning helped in Pearson only, at the cost of detail:"),
        ((0.55, 0.35), (0.60, 0.32), "Fine-tuning helped in detail only, at the cost of Pearson:"),
        ((0.60, 0.32), (0.60, 0.32), "Fine-tuning did not help:"),
        ((0.55, 0.30), (0.60, 0.32), "Fine-tuning did not help:"),
        ((0.65, 0.35), None, "Training helped:"),
        ((0.30, 0.05), None, "Training did not help:"),
    ],
)
def test_verdict_compares_with_where_it_began(
    best: tuple[float, float], start: tuple[float, float] | None, said: str
) -> None:
    known = {"validation": scores(*best), "variance": scores(0.4, 0.1)}
    known |= {"start": scores(*start)} if start else {}
    verdict = verdict_of(known, "h9c2" if start else "", 12)
    assert verdict.startswith(said)
    assert f"Pearson {best[0]:.3f} and detail {best[1]:.3f} on 12 validation pairs" in verdict
    assert ("of h9c2" in verdict) == (start is not None)
    assert "0.400 and 0.100 of the brightfield's variance." in verdict


def test_there_is_no_verdict_without_validation() -> None:
    assert verdict_of({}, "h9c2", 0) == ""


def test_few_pairs_are_no_proof() -> None:
    known = {"validation": scores(0.7, 0.4), "start": scores(0.6, 0.3)}
    assert "on 5 validation pairs" in (enough := verdict_of(known, "h9c2", 5))
    assert not enough.endswith("prove little.")
    assert verdict_of(known, "h9c2", 2).endswith("So few pairs prove little.")
    assert "on the validation pair," in verdict_of(known, "h9c2", 1)
