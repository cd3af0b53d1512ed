from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_mitostain.config import CellSettings, Indices
from napari_mitostain.simulation.body import shape_body
from napari_mitostain.simulation.cell import grow_cell
from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.mitochondria import grow_mitochondria
from napari_mitostain.simulation.phantom import draw_phantom

WHOLE = Grid((30, 270, 270), (0.2, 0.3, 0.3))
"""A field of 81 µm."""


def test_a_phantom_has_as_many_slices_as_its_cell_is_high(phantom, body):
    assert phantom.excess_index.shape == phantom.label.shape
    assert phantom.excess_index.dtype == phantom.label.dtype == np.float32
    assert (phantom.slice_um, phantom.pixel_size_um) == (0.2, 0.08)
    assert phantom.heights_um[:2] == pytest.approx([0.1, 0.3])
    assert body.thickness.max() < phantom.heights_um[-1] < body.thickness.max() + 0.6


def test_refractive_indices_are_those_of_living_matter(phantom):
    indices = Indices()
    assert phantom.excess_index.min() > -0.005  # texture, at the cell's faint edge
    assert indices.lipid - indices.medium + 1e-6 > phantom.excess_index.max() > 1.39 - indices.medium


def test_nothing_lies_above_the_cell(phantom, body):
    heights = np.array(phantom.heights_um)[:, None, None]
    above = heights > body.thickness + 0.6  # a voxel and the radius of what touches the surface
    assert phantom.label[above].max() < 0.01


def test_a_whole_cell_has_an_edge_and_cell_free_background():
    body = shape_body(WHOLE, CellSettings(crowding=0), np.random.default_rng(2))
    assert 0.1 < (body.thickness > 0.3).mean() < 0.6
    assert 0.5 < body.thickness[body.nuclear > 1].max() < body.thickness.max() < 6
    assert 80 < (body.nuclear < 1).sum() * 0.09 < 320  # µm²: nuclei of H9c2 measure some 20 by 13 µm


def test_crowding_brings_more_cells():
    few, many = (shape_body(WHOLE, CellSettings(crowding=n), np.random.default_rng(3)) for n in (0, 5))
    assert many.area_um2(WHOLE) > 1.5 * few.area_um2(WHOLE)


def test_membranes_of_mitochondria_are_labelled_and_their_inside_is_not():
    still = CellSettings(label_cytosol=0, fusion=0, branching=0)
    wide = replace(still, tube_radius_um=(0.3, 0.3), fragmented=0)
    fine = draw_phantom(grow_cell((200, 200), 0.08, wide, np.random.default_rng(7)), wide)
    bright, inside = fine.label > 0.5, (fine.label < 0.05) & np.isclose(fine.excess_index, 1.395 - 1.337, atol=1e-4)
    assert 0.001 < bright.mean() < 0.2
    # of a tube of 0.6 µm, the bright wall is 0.14 µm wide and the dark inside 0.3 µm: areas of 0.13 and 0.07 µm²
    assert inside.sum() > 0.2 * bright.sum()


def test_mitochondria_stay_out_of_nuclei(phantom, body):
    middle = int(np.argmin(np.abs(np.array(phantom.heights_um) - 2.0)))
    assert phantom.label[middle][body.nuclear < 0.9].max(initial=0) < 0.1


def test_cells_differ_in_how_much_label_they_make():
    body = shape_body(WHOLE, CellSettings(crowding=5), np.random.default_rng(3))
    made = np.unique(body.expression[body.thickness > 0.5])
    assert len(made) > 1
    assert 0.3 < made.min() < made.max() < 3


@pytest.fixture(scope="module")
def spindle():
    return shape_body(WHOLE, CellSettings(crowding=0), np.random.default_rng(4))


def grown(body, **changes):
    return grow_mitochondria(body, WHOLE, CellSettings(**changes), np.random.default_rng(5))


def test_mitochondria_gather_at_the_nucleus(spindle):
    starts = np.array([path[0] for path in grown(spindle, gathering_um=5).centres])
    found, all_over = (
        spindle.beside_um[WHOLE.columns_at(starts)],
        spindle.beside_um[(spindle.beside_um > 0) & (spindle.thickness > 1)],
    )
    assert np.median(found) < 0.7 * np.median(all_over)


def test_lengths_and_radii_are_those_asked_for(spindle):
    tubes = grown(spindle, fragmented=0, branching=0, fusion=0, tube_um=2.0, tube_radius_um=(0.2, 0.25))
    lengths = np.array([len(path) * 0.1 for path in tubes.centres])
    assert 1.2 < np.median(lengths) < 2.2  # some are cut off at the surface of the cell
    assert lengths.max() <= 14.1
    radii = np.concatenate(tubes.radii)
    assert 0.2 * 0.8 <= radii.min() < 0.2 < 0.25 < radii.max() <= 0.25 * 1.2
    fragments = grown(spindle, fragmented=1, fusion=0)
    assert max(len(path) for path in fragments.centres) <= 11


def test_numbers_follow_the_settings(spindle):
    few, many = (len(grown(spindle, mitochondria=n, branching=0, fusion=0).centres) for n in (0.1, 0.3))
    assert many == pytest.approx(3 * few, rel=0.15)
    assert len(grown(spindle, mitochondria=0).centres) == 0


def test_branches_begin_on_a_tube_and_bridges_end_on_another(spindle):
    branched = grown(spindle, branching=1.0, fusion=0, fragmented=0)
    starts = [tuple(path[0]) for path in branched.centres]
    inner = {tuple(point) for path in branched.centres for point in path}
    assert len(branched.centres) > 1.3 * len(grown(spindle, branching=0, fusion=0, fragmented=0).centres)
    assert set(starts) <= inner
    plain, fused = grown(spindle, fusion=0), grown(spindle, fusion=1.0)
    bridges = fused.centres[len(plain.centres) :]
    ends = np.array([path[-1] for path in bridges])
    others = np.concatenate(plain.centres)
    assert len(bridges) > 20
    assert max(np.linalg.norm(others - end, axis=1).min() for end in ends) < 1e-9
