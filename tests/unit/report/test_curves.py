"""Charts, also of values that are hard to draw."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from mmcoop.report.curves import HEIGHT, MAX_POINTS, WIDTH, Line, draw


def points(svg: str) -> list[tuple[float, float]]:
    """The places of the lines of a chart, which is well-formed."""
    ET.fromstring(svg)
    found = re.findall(r'points="([^"]+)"', svg)
    return [
        tuple(map(float, place.split(',')))
        for line in found
        for place in line.split()
    ]


def label(svg: str) -> str:
    return ET.fromstring(svg).get('aria-label')


def test_higher_values_are_higher_up():
    svg = draw('Loss', [Line('loss', [1, 2, 3], [5.0, 2.0, 3.0])], 'epoch')
    (x1, y1), (x2, y2), (x3, y3) = points(svg)
    assert x1 < x2 < x3
    assert y1 < y3 < y2
    assert label(svg) == 'Loss: loss from 5 to 3'


@pytest.mark.parametrize(
    'values',
    [
        [0.0] * 3,
        [7.5] * 3,
        [1e-9, 2e-9, 3e-9],
        [-1e30, 0, 1e30],
        [-3, -2, -1],
        [1e5, 1e5 + 1e-3, 1e5],
    ],
)
def test_everything_is_inside(values):
    svg = draw('Some', [Line('some', [0, 10, 20], values)], 'epoch')
    for x, y in points(svg):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_one_value_is_a_dot():
    svg = draw('Accuracy', [Line('learned', [50], [41.1])], 'epoch')
    assert '<circle class="learned"' in svg
    assert label(svg) == 'Accuracy: learned 41.1'


def test_values_of_a_run_that_diverged_are_left_out():
    values = [4.0, math.nan, math.inf, 3.0]
    svg = draw('Loss', [Line('loss', range(4), values)], 'epoch')
    assert len(points(svg)) == 2
    assert draw('Loss', [Line('loss', [1], [math.nan])], 'epoch') is None
    assert draw('Loss', [], 'epoch') is None


def test_many_values_become_means():
    values = [n % 2 for n in range(100_000)]
    lines = [
        Line('from 0 to 1', [0, 100_000], [0, 1]),
        Line('half', range(100_000), values),
    ]
    svg = draw('Loss', lines, 'iteration')
    (_, bottom), (_, top), *means = points(svg)
    assert MAX_POINTS / 2 < len(means) <= MAX_POINTS
    for _, y in means:
        assert y == pytest.approx((bottom + top) / 2, abs=1)


def test_names_are_text():
    line = Line('<b>&"', [0, 1], [0, 1], style='"><script>')
    svg = draw('<i>', [line], '<epoch>')
    assert '<script>' not in svg
    assert label(svg) == '<i>: <b>&" from 0 to 1'


def test_what_is_known_of_the_start_alone():
    svg = draw('Norm', [Line('norm', [0], [0.2])], 'epoch')
    assert '<circle' in svg
