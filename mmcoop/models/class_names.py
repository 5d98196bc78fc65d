"""What `class_names` may be in a config, turned into a checked list."""

import difflib
import logging
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.logging import print_log
from mmengine.utils import is_str

from mmcoop.registry import DATASETS
from mmcoop.text_files import read_lines

from .clip import IMAGENET_CLASS_NAMES

IMAGENET_NAMES = tuple(IMAGENET_CLASS_NAMES)
ASSETS = Path(__file__).parent.parent / 'assets' / 'class_names'
# "missile" and "sunglasses" are two ImageNet classes each.
TWICE_IN_IMAGENET = ('missile', 'sunglasses')
# Characters that are not seen: control characters, halves of characters,
# line ends, and marks for writing direction or width. A name with one looks
# like another name, or breaks a list of names. The two joiners of words
# (U+200C, U+200D) are none of them: Persian, Hindi and emoji need them.
UNSEEN_CATEGORIES = ('Cc', 'Cs', 'Zl', 'Zp')
UNSEEN = frozenset(
    map(
        chr,
        [0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF]
        + [*range(0x202A, 0x202F), *range(0x2060, 0x2070)],
    )
)


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

    Names that differ in case alone get the same prompt from CLIP's
    tokeniser, and a warning here: other tokenisers tell them apart.

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
        _check_characters(name, label, source)
    allowed = TWICE_IN_IMAGENET if class_names == IMAGENET_NAMES else ()
    twice = _labels_of_equals(class_names, _canonical, allowed)
    if twice:
        raise ValueError(
            f'{source} has the same name for several labels: {twice}. '
            'Classes of one name get one prompt and cannot be told apart: '
            'give each its own, like "crane (bird)" and "crane (machine)".'
        )
    similar = _labels_of_equals(
        class_names, lambda name: _canonical(name).lower(), allowed
    )
    if similar:
        print_log(
            f'{source} has names that differ in case alone: {similar}. '
            "CLIP's tokeniser makes all letters small: with it, these "
            'classes get one prompt and cannot be told apart.',
            logger='current',
            level=logging.WARNING,
        )
    return class_names


def _check_characters(name: str, label: int, source: str) -> None:
    """Refuse a name with characters that are not seen."""
    for position, character in enumerate(name):
        if (
            unicodedata.category(character) in UNSEEN_CATEGORIES
            or character in UNSEEN
        ):
            raise ValueError(
                f'{source} has {name!r} for label {label}, with the unseen '
                f'character U+{ord(character):04X} at position {position}: '
                'take it out. A name is one line of plain text.'
            )


def _canonical(name: str) -> str:
    """Bring a name into the form in which CLIP's tokeniser sees it.

    The same letter may be one character or a letter and an accent.
    """
    spaced = ' '.join(name.replace('_', ' ').split())
    return unicodedata.normalize('NFC', spaced)


def _labels_of_equals(
    class_names: Sequence[str],
    form: Callable[[str], str],
    allowed: Sequence[str],
) -> str:
    """List names that are equal in a form; '' if there are none."""
    labels = defaultdict(list)
    for label, name in enumerate(class_names):
        labels[form(name)].append(label)
    twice = [
        f'{name!r} for labels {found}'
        for name, found in labels.items()
        if len(found) > 1 and name not in allowed
    ]
    return '; '.join(twice[:5])


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
    lines = [line.strip() for line in read_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    return check_class_names(lines, str(path))


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
