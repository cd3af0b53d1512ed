"""A cluster of processes: a worker that is killed, a run that is stopped, an address that nobody answers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import zarr
from distributed import Client, LocalCluster

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import SchedulerError
from napari_mitostain.events import Event, FileDone, Notice, PartDone
from napari_mitostain.image.files import unfinished
from napari_mitostain.model.loading import Model, load_model, save_model
from napari_mitostain.staining import cluster as cluster_module
from napari_mitostain.staining import spread, stain_file, stain_folder
from napari_mitostain.staining.cluster import cluster_crew
from napari_mitostain.staining.crew import Crew
from napari_mitostain.staining.spread import stain_spread

SLOW = StainSettings(device="cpu", precision="float32", tile=16)
"""Tiles so small that a plane takes long enough to be killed in its middle."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute here with as many threads as the workers do: the rounding of a convolution depends on it."""
    former = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(former)


@pytest.fixture
def model_file(tmp_path: Path, tiny_model: Model) -> Path:
    save_model(tiny_model, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def make_movie(path: Path, plane: np.ndarray, count: int) -> Path:
    """Write planes of which no two are alike."""
    planes = np.stack([np.roll(plane, 5 * number, axis=1) for number in range(count)])
    zarr.create_array(path, data=planes, chunks=(1, 32, 32))
    return path


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture
def crew(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crew]:
    """The cluster, which is handed out one plane or file at a time."""
    monkeypatch.setattr(spread, "_PIXELS", 1)
    monkeypatch.setattr(spread, "_BYTES", 1)
    with cluster_crew(cluster.scheduler_address) as crew:
        yield crew


def pixels(path: Path) -> dict[str, bytes]:
    """All chunks of an OME-Zarr, as they are on the disk."""
    return {str(chunk.relative_to(path)): chunk.read_bytes() for chunk in (path / "0").rglob("*") if chunk.is_file()}


def kill_a_busy_worker(client: Client, pids: dict[str, int]) -> bool:
    """End a worker without warning, if one has a part to do."""
    busy = [worker for worker, parts in client.processing().items() if parts]
    for worker in busy[:1]:
        os.kill(pids[worker], signal.SIGKILL)
    return len(busy) > 0


def messages(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def test_stopped_run_is_gone_on_with_and_a_killed_workers_planes_are_done_again(
    cluster: LocalCluster, crew: Crew, tmp_path: Path, cells: np.ndarray, model_file: Path
) -> None:
    model, output = load_model(model_file), tmp_path / "spread.zarr"
    movie = make_movie(tmp_path / "movie.zarr", cells, 14)
    # The watcher registers while nothing is under way: what a scheduler then says to all can come into its greeting.
    with Client(cluster.scheduler_address, set_as_default=False) as watcher:
        pids = watcher.run(os.getpid)
        with closing(stain_spread(movie, output, model, model_file, crew, SLOW)) as events:
            next(event for event in events if isinstance(event, PartDone) and event.fraction > 0)
        assert not output.exists()
        (left,) = unfinished(output)

        told: list[Event] = []
        is_killed = False
        for event in stain_spread(movie, output, model, model_file, crew, SLOW):
            told.append(event)
            if not is_killed and isinstance(event, PartDone) and event.fraction > 0:
                is_killed = kill_a_busy_worker(watcher, pids)
    assert is_killed
    assert isinstance(told[-1], FileDone)
    assert [message for message in messages(told) if "finished by an earlier run" in message]
    assert not left.exists()

    for _ in stain_file(movie, tmp_path / "local.zarr", model, SLOW):
        pass
    assert pixels(output) == pixels(tmp_path / "local.zarr")
    *_, last = stain_spread(movie, output, model, model_file, crew, SLOW)
    assert isinstance(last, FileDone)
    assert last.kept


def test_folder_is_stained_as_one_process_does_and_a_rerun_keeps_what_is_proven(
    crew: Crew, tmp_path: Path, cells: np.ndarray, model_file: Path
) -> None:
    model, source = load_model(model_file), tmp_path / "in"
    source.mkdir()
    make_movie(source / "movie.zarr", cells, 3)
    tifffile.imwrite(source / "a.tif", cells)
    (source / "b.tif").write_text("no image")
    tifffile.imwrite(source / "c.tif", cells.T)
    for output, job in (
        ("spread", stain_spread(source, tmp_path / "spread", model, model_file, crew, SLOW)),
        ("local", stain_folder(source, tmp_path / "local", model, SLOW)),
    ):
        with pytest.raises(OSError, match=r"4 images .* 1 that cannot: b\.tif"):
            list(job)
        assert sorted(path.name for path in (tmp_path / output).glob("[!.]*")) == ["a.tif", "c.tif", "movie.zarr"]
    for name in ("a.tif", "c.tif"):
        stains = [tifffile.imread(tmp_path / output / name) for output in ("spread", "local")]
        np.testing.assert_array_equal(*stains)
    assert pixels(tmp_path / "spread" / "movie.zarr") == pixels(tmp_path / "local" / "movie.zarr")

    (source / "b.tif").unlink()
    tifffile.imwrite(tmp_path / "spread" / "a.tif", np.zeros((3, 3), np.float32))  # somebody has changed it
    again: list[Event] = []
    with pytest.raises(OSError, match=r"1 that cannot: a\.tif"):  # and nothing is overwritten unasked
        again.extend(stain_spread(source, tmp_path / "spread", model, model_file, crew, SLOW))
    assert {Path(event.output).name: event.kept for event in again if isinstance(event, FileDone)} == {
        "c.tif": True,
        "movie.zarr": True,
    }


def test_workers_that_find_another_model_are_refused(
    crew: Crew, tmp_path: Path, cells: np.ndarray, model_file: Path
) -> None:
    model, movie = load_model(model_file), make_movie(tmp_path / "movie.zarr", cells, 2)
    other = Model(model.card, model.generator, "another hash")
    with pytest.raises(ValueError, match="Expected the same model"):
        list(stain_spread(movie, tmp_path / "out.zarr", other, model_file, crew, SLOW))
    assert not (tmp_path / "out.zarr").exists()
    assert unfinished(tmp_path / "out.zarr") == []


def test_package_that_is_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SchedulerError, match=r'got none; install it with pip install "napari-mitostain\[cluster\]"'):
        cluster_crew("tcp://127.0.0.1:1").__enter__()


def test_address_without_a_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense", str(tmp_path / "no.json")):
        with pytest.raises(SchedulerError, match="Expected a dask scheduler at"):
            cluster_crew(address).__enter__()
