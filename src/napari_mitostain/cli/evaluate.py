"""`mitostain evaluate`: scores of stains beside the trivial baselines."""

from __future__ import annotations

import argparse
import json
import sys

from napari_mitostain.cli.options import add_json, path, whole_number

_MEANINGS = {
    "constant": "the target's median",
    "variance": "blurred local variance of the brightfield",
    "ceiling": "the target itself, denoised",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("evaluate", help="score stains against fluorescence of the same places")
    parser.add_argument("predicted", type=path, help="a stain, or a folder of them")
    parser.add_argument("target", type=path, help="fluorescence, or a folder of the same names")
    parser.add_argument("--brightfield", type=path, metavar="B", help="adds the variance baseline")
    parser.add_argument("--channel", type=whole_number, metavar="N", help="of the target, along axis C; default 0")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print a table, or the whole report as JSON."""
    from napari_mitostain.evaluation.report import evaluate

    report = evaluate(arguments.predicted, arguments.target, arguments.brightfield, arguments.channel)
    for notice in report.notices:
        print(f"mitostain: {notice}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(report.to_dict()))
        return
    rows = {"stain": report.mean, **report.baselines}
    print(f"{len(report.planes)} plane(s)    {'SSIM':>8} {'PSNR':>8} {'Pearson':>8} {'detail':>8}")
    for name, scores in rows.items():
        print(f"{name:<14} {scores.ssim:8.3f} {scores.psnr:8.2f} {scores.pearson:8.3f} {scores.detail_pearson:8.3f}")
    print("; ".join(f"{name}: {_MEANINGS[name]}" for name in report.baselines) + ".")
