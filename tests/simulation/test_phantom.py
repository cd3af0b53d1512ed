from __future__ import annotations

import numpy as np

from napari_mitostain.simulation.body import shape_body
from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.organelles import surface_distance
from napari_mitostain.simulation.phantom import LIPID, MEDIUM, grow_mitochondria


def test_phantom_fits_its_grid(phantom, grid):
    assert phantom.excess_index.shape == phantom.label.shape == grid.shape
    assert phantom.excess_index.dtype == phantom.label.dtype == np.float32
    assert (phantom.slice_um, phantom.pixel_size_um) == (0.25, 0.08)
    assert phantom.heights_um[:2] == [0.125, 0.375]


def test_refractive_indices_are_those_of_living_matter(phantom):
    assert phantom.excess_index.min() >= 0
    assert LIPID - MEDIUM + 1e-6 > phantom.excess_index.max() > 1.40 - MEDIUM


def test_nothing_lies_above_the_cell(phantom, body, grid):
    above = grid.heights > body.thickness + 0.5  # a voxel and the radius of what touches the surface
    assert above.any()
    assert phantom.label[above].max() < 0.01
    assert phantom.excess_index[above].max() < 0.01


def test_whole_cell_has_an_edge_and_cell_free_background():
    body = shape_body(Grid((4, 160, 160), (1.0, 0.4, 0.4)), np.random.default_rng(2))
    covered = (body.thickness > 0).mean()
    assert 0.1 < covered < 0.9
    assert 0.5 < body.thickness[body.nucleus.max(axis=0) < 0].max() < body.thickness.max() < 6.5


def test_membranes_of_mitochondria_are_labelled_and_their_inside_is_not(phantom, grid, body):
    distance = surface_distance(grow_mitochondria(body, grid, np.random.default_rng(3)), grid)
    assert distance.min() < -0.15
    bright = phantom.label > 0.5
    assert 0.001 < bright.mean() < 0.2
    assert phantom.excess_index[bright].mean() > 2 * phantom.excess_index[body.nucleus > 0.1].mean()


def test_mitochondria_stay_out_of_the_nucleus(phantom, body):
    assert phantom.label[body.nucleus > 0.1].max() < 0.1


def test_mitochondria_gather_at_the_nucleus():
    grid = Grid((13, 150, 150), (0.5, 0.3, 0.3))
    random = np.random.default_rng(4)
    body = shape_body(grid, random)
    beads = grow_mitochondria(body, grid, random)
    starts = np.array([path[0] for path in beads.centres if len(path)])
    depth = body.nucleus[grid.at(starts)]
    cytoplasm = body.nucleus[(body.nucleus < 0) & (grid.heights < body.thickness)]
    assert np.median(depth) > np.median(cytoplasm)
