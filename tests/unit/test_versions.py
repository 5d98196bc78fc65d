"""What is wrong with an installation is said in one error."""

import sys
import types
from importlib.metadata import packages_distributions

import pytest

import mmcoop
from mmcoop.version import REQUIRED_VERSIONS
from mmcoop.versions import check_versions


@pytest.fixture
def stand_in(monkeypatch):
    """Make a module importable that has nothing but a version."""

    def add(name: str, version: str) -> None:
        module = types.ModuleType(name)
        module.__version__ = version
        module.__spec__ = types.SimpleNamespace(name=name)
        monkeypatch.setitem(sys.modules, name, module)

    return add


def test_this_installation_is_fine():
    check_versions(REQUIRED_VERSIONS)
    assert mmcoop.__version__


def test_other_builds_and_forks_pass(stand_in):
    stand_in('one', '2.6.0+cu124')
    stand_in('two', '0.10.12')
    check_versions({'one': '>=2.6', 'two': '>=0.10.7,<1.0'})


def test_all_faults_are_named_with_the_command(stand_in):
    stand_in('mmengine', '0.7.0')
    stand_in('fine', '1.0')
    required = {
        'mmengine': '>=0.10.7,<1.0',
        'fine': '>=1',
        'no_such_module': '>=3',
    }
    with pytest.raises(ImportError) as error:
        check_versions(required)
    message = str(error.value)
    assert 'mmengine: 0.7.0 is installed, >=0.10.7,<1.0 is needed' in message
    assert 'no_such_module: not installed, >=3 is needed' in message
    assert 'fine' not in message
    # The fork's name, where that is what is installed
    name = max(packages_distributions()['mmengine'], key=len)
    assert message.endswith(
        f'pip install "{name}>=0.10.7,<1.0" "no_such_module>=3"'
    )


def test_mmcv_is_installed_as_the_lite_one_if_there_is_none(monkeypatch):
    monkeypatch.setattr('mmcoop.versions.find_spec', lambda name: None)
    monkeypatch.setattr('mmcoop.versions.packages_distributions', dict)
    with pytest.raises(ImportError, match='pip install "mmcv-lite>=2'):
        check_versions({'mmcv': '>=2'})


def test_a_fork_is_told_to_update_the_fork(stand_in, monkeypatch):
    stand_in('mmengine', '0.10.1')
    monkeypatch.setattr(
        'mmcoop.versions.packages_distributions',
        lambda: {'mmengine': ['onedl-mmengine']},
    )
    with pytest.raises(ImportError, match='pip install "onedl-mmengine>=1"'):
        check_versions({'mmengine': '>=1'})


@pytest.mark.parametrize(
    ('fault', 'advice'),
    [
        (
            "ImportError: cannot import name 'x' from 'transformers.utils'",
            'transformers<4.56',
        ),
        (
            'RuntimeError: operator torchvision::nms does not exist',
            'torchvision was made for another torch',
        ),
    ],
)
def test_failing_imports_come_with_advice(
    tmp_path, monkeypatch, fault, advice
):
    kind, _, text = fault.partition(': ')
    (tmp_path / 'broken_here.py').write_text(f'raise {kind}({text!r})')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match='its import fails') as error:
        check_versions({'broken_here': '>=1'})
    assert fault in str(error.value)
    assert advice in str(error.value)
