"""Predictions as a table and as a CSV file."""

import csv
import os

import pytest

from mmcoop.apis.prediction import Prediction
from mmcoop.apis.prediction_table import to_table, whole_file, write_csv

PREDICTIONS = [
    Prediction('a.png', 'cat', 0.75, 2, ('cat', 'a, "b"'), (0.75, 0.2)),
    Prediction('b.png', error='the file is no image'),
    Prediction('c.png', 'none of these', 0.5, None, ('cat',), (0.5,), True),
]


def test_predictions_are_readable():
    assert list(map(str, PREDICTIONS)) == [
        'a.png: cat 75.0%, a, "b" 20.0%',
        'b.png: error: the file is no image',
        'c.png: none of these (nearest: cat 50.0%)',
    ]


def test_table():
    assert to_table(PREDICTIONS).splitlines() == [
        'image  name           score',
        'a.png  cat            0.750  a, "b" 0.200',
        'b.png  -              error: the file is no image',
        'c.png  none of these  0.500  cat 0.500',
    ]
    assert to_table([]) == 'image  name  score'


def test_a_name_that_is_no_text_can_be_printed():
    source = os.fsdecode(b'caf\xe9.png')
    table = to_table([Prediction(source, 'cat', 0.5, 0, ('cat',), (0.5,))])
    assert 'caf\\udce9.png' in table


def test_csv_comes_back(tmp_path):
    path = tmp_path / 'a.csv'
    odd = Prediction(os.fsdecode(b'\xe9\n.png'), error='no')
    with whole_file(path) as file:
        write_csv([*PREDICTIONS, odd], file)
    with open(path, newline='', errors='surrogateescape') as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == dict(
        path='a.png',
        name='cat',
        score='0.75',
        label='2',
        rejected='False',
        error='',
        name_2='a, "b"',
        score_2='0.2',
    )
    assert rows[1]['error'] == 'the file is no image'
    assert (rows[2]['label'], rows[2]['rejected']) == ('', 'True')
    assert rows[3]['path'] == odd.source


def test_nothing_half_written_stays(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('old')

    def write_half():
        with whole_file(path) as file:
            file.write('new')
            file.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written_is_found_at_once(tmp_path):
    for path in (tmp_path, tmp_path / 'no' / 'a.csv', tmp_path / ('a' * 300)):
        with pytest.raises(OSError, match='cannot be written'):
            whole_file(path).__enter__()
    assert not list(tmp_path.iterdir())
