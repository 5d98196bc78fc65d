"""Build and install mmcoop; what pip cannot be told in pyproject.toml.

1. What is required depends on what is there. `mmcv` and `mmcv-lite` are two
   distributions of one module, and the maintained forks of OpenMMLab's
   packages go by other names still. Whoever has one of them must not get
   another one over it, so the one that is installed is required. Where
   building cannot see what is installed (some installers build apart from
   it), `pip install --no-deps` leaves everything as it is.
2. `mim run mmcoop train` looks for tools and configs in `mmcoop/.mim/`.
"""

import os
import runpy
import shutil
import site
import sys
from importlib.metadata import distributions
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
VERSIONS = runpy.run_path(str(HERE / 'mmcoop' / 'version.py'))
FOR_MIM = ('configs', 'tools')

# What sweeps and the linear probe start and fit with
PROTOCOL = ['scikit-learn', 'submitit']
EXPORT = ['onnx>=1.17', 'onnxruntime>=1.20', 'onnxscript>=0.3']
APP = ['gradio>=5']
DOCS = ['mkdocs-material>=9.5', 'mkdocstrings[python]>=0.26']
TEST = [
    *PROTOCOL,
    *EXPORT,
    *APP,
    *DOCS,
    'grad-cam<1.5',
    'hypothesis',
    'pytest>=8',
    'pytest-xdist>=3.7',  # --no-loadscope-reorder
    'pyyaml',
    'ruff>=0.9',
    'selenium>=4',
    # Of setuptools itself from 70.1 on; Python 3.10 brings an older one
    'wheel',
]


def requirements() -> list[str]:
    """Name the distributions to require, with their versions."""
    # While building apart, the environment's own folders are not on sys.path.
    folders = [*sys.path, *site.getsitepackages()]
    installed = {
        (found.metadata['Name'] or '').lower().replace('_', '-')
        for found in distributions(path=folders)
    }
    names = []
    for module, wanted in VERSIONS['REQUIRED_VERSIONS'].items():
        known = VERSIONS['DISTRIBUTIONS'].get(module, [module])
        name = next((n for n in known if n in installed), known[0])
        names.append(name + wanted)
    # mmengine (for `_base_ = 'mmpretrain::…'`) and mim import pkg_resources,
    # which setuptools has dropped with version 82.
    others = [
        'huggingface-hub',
        'jinja2',
        'matplotlib',
        'numpy',
        'packaging',
        'pillow',
        'tqdm',
    ]
    return [*names, *others, 'setuptools<82']


class BuildWithMim(build_py):
    """Put the configs and tools where mim looks for them."""

    def run(self) -> None:
        """Build the package, then add ``mmcoop/.mim``."""
        super().run()
        package = HERE if self.editable_mode else Path(self.build_lib)
        target = package / 'mmcoop' / '.mim'
        # Of an earlier build, with files that may be gone by now
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in FOR_MIM:
            if self.editable_mode:
                _link_or_copy(HERE / name, target / name)
            else:
                _copy(HERE / name, target / name)


def _link_or_copy(source: Path, target: Path) -> None:
    """Link, so that edits count at once; copy where links are forbidden."""
    try:
        target.symlink_to(
            os.path.relpath(source, target.parent), target_is_directory=True
        )
    except OSError:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    ignored = shutil.ignore_patterns('__pycache__')
    shutil.copytree(source, target, ignore=ignored)


setup(
    name='mmcoop',
    version=VERSIONS['__version__'],
    description='CoOp, prompt learning for CLIP, as a plugin of mmpretrain',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10,<3.14',
    install_requires=requirements(),
    extras_require={
        'protocol': PROTOCOL,
        'export': EXPORT,
        'app': APP,
        'docs': DOCS,
        'test': TEST,
        'dev': [*TEST, 'pre-commit'],
    },
    packages=find_packages(include=['mmcoop', 'mmcoop.*']),
    package_data={'mmcoop': ['assets/**/*', 'report/*.html']},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
