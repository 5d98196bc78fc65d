"""Check that what mmcoop stands on is there, and of a fitting version."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import packages_distributions
from importlib.util import find_spec

from packaging.specifiers import SpecifierSet

from .version import DISTRIBUTIONS, REQUIRED_VERSIONS


def check_versions(required: Mapping[str, str] = REQUIRED_VERSIONS) -> None:
    """Import each required module and compare its ``__version__``.

    Modules are asked, not the distributions' metadata: a fork is installed
    under another name and is as good.

    Args:
        required (Mapping[str, str]): From the module's import name to the
            versions wanted, as in ``'>=2.6,<3'``. A module stands after
            those that its own import needs.

    Raises:
        ImportError: If a module is missing, fails to import, or has another
            version. Names all modules at fault and the command that helps.
    """
    faults = []
    commands = []
    for module, wanted in required.items():
        fault = _find_fault(module, wanted, others_are_fine=not faults)
        if fault is not None:
            faults.append(f'  {module}: {fault}')
            commands.append(f'"{_distribution(module)}{wanted}"')
    if faults:
        raise ImportError(
            'mmcoop cannot work with the packages installed here:\n'
            + '\n'.join(faults)
            + f'\nRun: pip install {" ".join(commands)}'
        )


def _find_fault(module: str, wanted: str, others_are_fine: bool) -> str | None:
    """Say what is wrong with an installed module, or None."""
    if find_spec(module) is None:
        return f'not installed, {wanted} is needed'
    try:
        found = import_module(module).__version__
        if module == 'mmpretrain':
            # Where its optional dependencies break; mmcoop needs it anyway
            import_module('mmpretrain.models')
    except Exception as error:
        # Mostly the echo of a fault that is reported already
        if not others_are_fine:
            return None
        return f'installed, but its import fails: {_explain(error)}'
    if not SpecifierSet(wanted).contains(found, prereleases=True):
        return f'{found} is installed, {wanted} is needed'
    return None


def _explain(error: Exception) -> str:
    """Put a failing import in one line, with advice where it is known."""
    message = f'{type(error).__name__}: {error}'.splitlines()[0]
    if 'torchvision::' in message:
        message += '. torchvision was made for another torch'
    if 'transformers' in message:
        # mmpretrain's language models, imported only if pycocotools is there
        message += (
            '. mmpretrain needs an older transformers, or no pycocotools: '
            'run `pip install "transformers<4.56"` or '
            '`pip uninstall pycocotools`'
        )
    return message


def _distribution(module: str) -> str:
    """What pip calls the module here, or what it would install."""
    known = DISTRIBUTIONS.get(module, [module])
    installed = packages_distributions().get(module, [])
    return next((name for name in known if name in installed), known[0])
