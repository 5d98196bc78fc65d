"""What is installed with the package, and what is required."""

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import setuptools

ROOT = Path(__file__).resolve().parents[2]
PARTS = ('configs', 'mmcoop', 'tools')
FILES = ('LICENSE', 'MANIFEST.in', 'README.md', 'pyproject.toml', 'setup.py')


@pytest.fixture
def clone(tmp_path) -> Path:
    """Copy what a package is made of."""
    folder = tmp_path / 'clone'
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


def build(clone: Path, kind: str) -> Path:
    """Build a wheel as pip does, less the isolated environment."""
    out = clone / kind
    out.mkdir()
    subprocess.run(
        [sys.executable, '-c',
         'import sys; from setuptools import build_meta; '
         f'build_meta.build_{kind}(sys.argv[1])', str(out)],
        cwd=clone, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = out.glob('*.whl')
    return wheel


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def test_wheel_holds_code_assets_configs_and_tools(clone):
    stale = clone / 'build/lib/mmcoop/.mim/configs/renamed_since.py'
    stale.parent.mkdir(parents=True)
    stale.touch()

    names = zipfile.ZipFile(build(clone, 'wheel')).namelist()

    package = {
        name.removeprefix('mmcoop/')
        for name in names
        if name.startswith('mmcoop/')
    }
    expected = files(clone / 'mmcoop')
    for part in ('configs', 'tools'):
        expected |= {f'.mim/{part}/{name}' for name in files(clone / part)}
    assert package == expected
    assert 'assets/tiny_clip/open_clip_model.safetensors' in package
    assert '.mim/tools/train.py' in package
    assert any(
        re.search(r'dist-info/(licenses/)?LICENSE$', name) for name in names
    )


def test_editable_install_links_configs_and_tools(clone):
    for _ in range(2):  # A second time the links are there already
        shutil.rmtree(clone / 'editable', ignore_errors=True)
        build(clone, 'editable')
        for part in ('configs', 'tools'):
            link = clone / 'mmcoop' / '.mim' / part
            assert link.is_symlink()
            assert link.resolve() == clone / part
            assert not os.path.isabs(os.readlink(link))


@pytest.mark.parametrize(
    ('installed', 'required'),
    [
        ([], ['mmengine', 'mmcv-lite', 'mmpretrain']),
        (['mmcv-lite', 'MMEngine'], ['mmengine', 'mmcv-lite', 'mmpretrain']),
        (['mmcv'], ['mmengine', 'mmcv', 'mmpretrain']),
        (
            ['onedl_mmengine', 'onedl-mmcv', 'onedl-mmpretrain'],
            ['onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain'],
        ),
    ],
)
def test_the_distribution_that_is_there_is_required(
    monkeypatch, installed, required
):
    found = [SimpleNamespace(metadata={'Name': name}) for name in installed]
    monkeypatch.setattr(
        importlib.metadata, 'distributions', lambda path: found
    )
    told: dict = {}
    monkeypatch.setattr(
        setuptools, 'setup', lambda **kwargs: told.update(kwargs)
    )

    runpy.run_path(str(ROOT / 'setup.py'))

    names = [
        requirement.partition('>')[0]
        for requirement in told['install_requires']
        if 'mm' in requirement
    ]
    assert names == required
