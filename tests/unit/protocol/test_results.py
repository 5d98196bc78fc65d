import json
import re

import pytest

from mmcoop.protocol import figure, tables
from mmcoop.protocol.paper import PAPER_RN50
from mmcoop.protocol.results import AVERAGE, datasets_of, read_results


def write(root, accuracy, test='test', **labels):
    name = '/'.join(f'{axis}={label}' for axis, label in labels.items())
    file = root / name / 'result.json'
    file.parent.mkdir(parents=True, exist_ok=True)
    labels = {axis: str(label) for axis, label in labels.items()}
    metrics = {}
    if file.is_file():
        metrics = json.loads(file.read_text())['metrics']
    metrics[test] = {'accuracy/top1': accuracy}
    file.write_text(json.dumps(dict(labels=labels, metrics=metrics)))


@pytest.fixture
def folder(tmp_path):
    for seed, accuracy in ((1, 60.0), (2, 62.0), (3, 64.0)):
        write(tmp_path, accuracy, method='CoOp', dataset='A', shots=16,
              seed=seed)  # fmt: skip
        write(tmp_path, accuracy + 20, method='CoOp', dataset='B', shots=16,
              seed=seed)  # fmt: skip
    write(tmp_path, 30.0, method='CoOp', dataset='A', shots=1, seed=1)
    write(tmp_path, 50.0, method='zero-shot', dataset='A')
    write(tmp_path, 55.0, method='zero-shot', dataset='B')
    return tmp_path


def find(cells, **wanted):
    (cell,) = (
        cell
        for cell in cells
        if all(getattr(cell, key) == value for key, value in wanted.items())
    )
    return cell


def test_seeds_become_mean_and_deviation(folder):
    cells = read_results([folder])
    cell = find(cells, series='CoOp', dataset='A', shots=16)
    assert cell.mean == pytest.approx(62)
    assert cell.std == pytest.approx((8 / 3) ** 0.5)
    assert find(cells, series='zero-shot', dataset='A').shots == 0


def test_average_is_over_complete_series_alone(folder):
    cells = read_results([folder])
    cell = find(cells, series='CoOp', dataset=AVERAGE)
    # One shot has results on A alone.
    assert (cell.shots, cell.values) == (16, (70.0, 72.0, 74.0))
    assert find(cells, series='zero-shot', dataset=AVERAGE).mean == 52.5
    assert datasets_of(cells) == ['A', 'B', AVERAGE]


def test_other_axes_name_a_series(tmp_path):
    for backbone in ('RN50', 'RN101'):
        write(tmp_path, 1.0, method='CoOp', dataset='A', shots=1, seed=1,
              backbone=backbone)  # fmt: skip
    cells = read_results([tmp_path])
    assert [cell.series for cell in cells] == ['CoOp, RN101', 'CoOp, RN50']


def test_folder_without_results_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='has no results'):
        read_results([tmp_path])


def test_tables_show_all_that_was_measured(folder):
    cells = read_results([folder])
    csv = tables.to_csv(cells)
    assert csv.startswith('series,dataset,test,shots,mean,std,seeds\n')
    assert 'CoOp,A,test,16,62.00,1.63,3\n' in csv
    markdown = tables.to_markdown(cells)
    assert '| data set | method | – | 1 shot | 16 shots |' in markdown
    assert '| A | CoOp | – | 30.0 | 62.0 ± 1.6 |' in markdown
    assert '| Average | zero-shot | 52.5 | – | – |' in markdown
    latex = tables.to_latex(cells)
    assert 'A & CoOp & -- & 30.0 & 62.0 $\\pm$ 1.6 \\\\' in latex
    assert latex.count('{') == latex.count('}')


def test_marks_of_latex_are_escaped(tmp_path):
    write(tmp_path, 1.0, method='50% & M_4', dataset='A')
    latex = tables.to_latex(read_results([tmp_path]))
    assert 'A & 50\\% \\& M\\_4 & 1.0' in latex


def test_figure_has_a_panel_per_data_set(folder, tmp_path):
    cells = read_results([folder])
    drawn = figure.draw(cells)
    titles = [axis.get_title() for axis in drawn.axes if axis.get_visible()]
    assert titles == [AVERAGE, 'A', 'B']
    (legend,) = drawn.legends
    names = {text.get_text() for text in legend.get_texts()}
    assert names == {'CoOp', 'zero-shot'}
    star = drawn.axes[1].lines[-1]
    assert (star.get_marker(), star.get_xdata()[0]) == ('*', 0)
    files = figure.save(drawn, tmp_path / 'results')
    assert [file.suffix for file in files] == ['.png', '.svg']
    assert files[0].read_bytes()[:4] == b'\x89PNG'
    assert '<svg' in files[1].read_text()


def test_figure_of_one_data_set_has_a_panel_per_test(tmp_path):
    for test in ('test', 'sketches'):
        write(tmp_path, 40.0, test, method='CoOp', dataset='A', shots=1,
              seed=1)  # fmt: skip
    drawn = figure.draw_tests(read_results([tmp_path]), 'A')
    titles = [axis.get_title() for axis in drawn.axes if axis.get_visible()]
    assert titles == ['test', 'sketches']


def test_numbers_of_the_paper_say_so():
    assert all(re.search(r'\(paper\)$', cell.series) for cell in PAPER_RN50)
    dtd = find(PAPER_RN50, dataset='DTD')
    assert dtd.mean == pytest.approx(63.58, abs=0.01)
