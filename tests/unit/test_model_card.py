"""The model card names all configs, and numbers of the paper as such."""

import re
from pathlib import Path

import pytest
import yaml

from mmcoop.protocol.paper import PAPER_RN50

ROOT = Path(__file__).parents[2]
CARD = ROOT / 'configs' / 'coop' / 'README.md'
LEAVES = {
    path.stem
    for path in (ROOT / 'configs' / 'coop').glob('*.py')
    if 'tinyclip' not in path.stem
    and not path.stem.endswith(('_cached', '_own'))
}


def rows():
    found = re.findall(r'^\| (.*) \| \[config\]\((\w+)\.py\) \|$',
                       CARD.read_text(), re.MULTILINE)  # fmt: skip
    return {name: cells.split(' | ') for cells, name in found}


def test_every_config_has_a_row_and_an_entry():
    assert set(rows()) == LEAVES
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    (file,) = index['Import']
    meta = yaml.safe_load((ROOT / file).read_text())
    assert {model['Name'] for model in meta['Models']} == LEAVES
    for model in meta['Models']:
        assert (ROOT / model['Config']).is_file()
        assert 'Results' not in model, 'nothing was measured'


@pytest.mark.parametrize('name', sorted(LEAVES))
def test_papers_number_is_that_of_the_configs_head(name):
    *_, paper, ours = rows()[name]
    head = (CARD.parent / f'{name}.py').read_text().split('"""')[1]
    assert ours == 'not measured here'
    assert 'not measured' in head.replace('\n', ' ')
    numbers = [float(n) for n in re.findall(r'\b\d\d\.\d\d\b', head)]
    if paper == '–':
        assert numbers == []
    elif 'seeds 1, 2 and 3' in head:
        assert float(paper) == pytest.approx(sum(numbers) / 3, abs=0.006)
    else:
        assert float(paper) == numbers[0]


@pytest.mark.parametrize('cell', PAPER_RN50, ids=lambda cell: cell.dataset)
def test_numbers_of_figures_are_those_of_the_card(cell):
    if not cell.series.startswith('CoOp'):
        return
    (paper,) = (
        cells[-2]
        for name, cells in rows().items()
        if cells[0] == cell.dataset and re.match(r'rn50_16shot_(?!m4)', name)
    )
    assert float(paper) == pytest.approx(cell.mean, abs=0.006)


def test_commands_name_files_that_exist():
    named = re.findall(r'\b(?:tools|configs)/[\w/.]+\.py', CARD.read_text())
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).is_file()] == []
