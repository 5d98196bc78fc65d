"""What `class_names` may be in a config, turned into a checked list."""

import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmengine.utils import is_str

from mmcoop.registry import DATASETS

from .clip import IMAGENET_CLASS_NAMES

IMAGENET_NAMES = tuple(IMAGENET_CLASS_NAMES)
ASSETS = Path(__file__).parent.parent / 'assets' / 'class_names'
# "missile" and "sunglasses" are two ImageNet classes each.
TWICE_IN_IMAGENET = ('missile', 'sunglasses')


def resolve_class_names(
    class_names: str | Sequence[str] | dict,
) -> tuple[str, ...]:
    """Turn what a config says into names.

    Args:
        class_names (str | Sequence[str] | dict): Names in label order; a
            known set ('imagenet', 'emoji'); a text file, one name a line;
            or the config of a data set, whose ``metainfo['classes']`` count.

    Returns:
        tuple[str]: K names, in label order.

    Raises:
        ValueError: If there are none, one is empty, or one occurs twice.
        FileNotFoundError: If it is neither a known set nor a file.
    """
    if is_str(class_names):
        return _from_text(class_names)
    if isinstance(class_names, dict):
        return _from_dataset(class_names)
    if not isinstance(class_names, Sequence):
        raise TypeError(
            f'class_names is a {type(class_names).__name__}: give a list of '
            'names, a text file, a known set or the config of a data set.'
        )
    return check_class_names(class_names)


def check_class_names(
    class_names: Sequence[str], source: str = 'class_names'
) -> tuple[str, ...]:
    """Refuse names that would silently spoil a classifier.

    Args:
        class_names (Sequence[str]): Names in label order.
        source (str): Where they are from, for errors.

    Returns:
        tuple[str]: The same names.
    """
    class_names = tuple(class_names)
    if not class_names:
        raise ValueError(f'{source} is empty: give at least one name.')
    for label, name in enumerate(class_names):
        if not isinstance(name, str):
            raise TypeError(
                f'{source} has {name!r}, a {type(name).__name__}, for label '
                f'{label}: every name must be a string.'
            )
        if not name.replace('_', ' ').strip():
            raise ValueError(
                f'{source} has an empty name for label {label}: every class '
                'needs a name to be told from the others.'
            )
    allowed = TWICE_IN_IMAGENET if class_names == IMAGENET_NAMES else ()
    twice = [
        name
        for name, count in Counter(
            name.replace('_', ' ').strip() for name in class_names
        ).items()
        if count > 1 and name not in allowed
    ]
    if twice:
        labels = {
            name: [
                label
                for label, other in enumerate(class_names)
                if other.replace('_', ' ').strip() == name
            ]
            for name in twice[:5]
        }
        listed = '; '.join(f'{k!r} for labels {v}' for k, v in labels.items())
        raise ValueError(
            f'{source} has the same name for several labels: {listed}. '
            'Classes of one name get one prompt and cannot be told apart: '
            'give each its own, like "crane (bird)" and "crane (machine)".'
        )
    return class_names


def _from_text(text: str) -> tuple[str, ...]:
    if text == 'imagenet':
        return IMAGENET_NAMES
    known = sorted(path.stem for path in ASSETS.glob('*.txt'))
    path = ASSETS / f'{text}.txt' if text in known else Path(text).expanduser()
    if not path.is_file():
        known = ['imagenet', *known]
        near = difflib.get_close_matches(text, known, n=1)
        hint = f' Did you mean {near[0]!r}?' if near else ''
        raise FileNotFoundError(
            f'class_names is {text!r}: neither a known set '
            f'({", ".join(known)}) nor a file at {path.absolute()}.{hint}'
        )
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{path} is not UTF-8 text ({error.reason} at byte '
            f'{error.start}): save it as UTF-8, one class name a line.'
        ) from error
    while lines and not lines[-1].strip():
        lines.pop()
    return check_class_names([line.strip() for line in lines], str(path))


def _from_dataset(config: dict) -> tuple[str, ...]:
    dataset = DATASETS.build(config)
    classes = dataset.metainfo.get('classes')
    if classes is None and hasattr(dataset, 'full_init'):
        dataset.full_init()
        classes = dataset.metainfo.get('classes')
    if classes is None:
        raise ValueError(
            f'the data set {config.get("type")!r} has no class names: give '
            'it `classes` or `metainfo=dict(classes=[…])`, or set '
            'class_names to a list.'
        )
    return check_class_names(classes, f'the data set {config.get("type")!r}')
