"""The config that a checkpoint carries, read as data.

mmengine stores a run's config as Python text and reads it back by running
it. A checkpoint may come from anyone, so here nothing of it is run: what it
may hold are literals and ``dict(...)``, and what is built from it are the
components listed below, looked up by name. mmengine's registries would
import whatever module a ``type`` or ``_scope_`` names.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any, NoReturn

# A config of 1000 class names, with a pipeline, has some 100 kB.
MAX_CHARACTERS = 4_000_000
NOT_FINITE = dict(inf=float('inf'), nan=float('nan'))
ADVICE = (
    'If you trust where it comes from, pass the config that it was trained '
    'with as a file: config=….'
)

_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\n]+ | \#[^\n\r]* )
    | (?P<value>
        '[^'\\\n\r]*(?:\\.[^'\\\n\r]*)*'(?!['"])
        | "[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"(?!['"])
        | \d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?![\w.'"])
        | [^\W\d]\w*(?![\w.'"])
        | [)\]}]
    )
    | (?P<start> [(\[{-] )
    | [=:,]
    """,
    re.VERBOSE,
)

OF_MMPRETRAIN = ('ImageClassifier', 'ClsDataPreprocessor')
OF_MMCOOP = (
    'CLIPVision',
    'CoOpHead',
    'GivenFeatures',
    'PromptLearner',
    'ZeroShotHead',
)
# Those that prepare images without chance. Others take the names of
# functions as arguments, so being registered is not enough.
TRANSFORMS = (
    'CenterCrop',
    'EfficientNetCenterCrop',
    'LoadImageFromFile',
    'PackInputs',
    'Resize',
    'ResizeEdge',
)
KNOWN_TYPES = frozenset(
    [
        *OF_MMPRETRAIN,
        *TRANSFORMS,
        *(f'mmpretrain.{name}' for name in (*OF_MMPRETRAIN, *TRANSFORMS)),
        *(f'mmcoop.{name}' for name in (*OF_MMCOOP, 'LoadImageFromFile')),
    ]
)


class ConfigTextError(ValueError):
    """A stored config is no plain data, or names what is not known."""


def parse_config(text: str) -> dict[str, Any]:
    """Read a config's text without running it.

    Args:
        text (str): As mmengine's ``Config.pretty_text`` writes it: lines of
            ``name = value``, where a value is a number, a string, True,
            False, None, or a list, tuple or dict of values.

    Returns:
        dict[str, Any]: The values by name.

    Raises:
        ConfigTextError: If it holds anything else, whatever it is.
    """
    if not isinstance(text, str):
        raise ConfigTextError(
            f'the stored config is a {type(text).__name__}, not text.'
        )
    if len(text) > MAX_CHARACTERS:
        raise ConfigTextError(
            f'the stored config has {len(text)} characters, more than any '
            f'real one ({MAX_CHARACTERS}).'
        )
    try:
        _check_tokens(text)
        values = {}
        for statement in ast.parse(text).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=node):
                    values[name] = _value(node)
                case _:
                    _refuse(statement)
        return values
    except ConfigTextError:
        raise
    # Texts may nest too deep, hold null bytes, or numbers of too many digits.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigTextError(
            'the stored config cannot be read as a config: '
            f'{type(error).__name__}: {error}'
        ) from error


def check_types(config: Any) -> None:
    """Refuse a config that names a component which is not known here.

    Args:
        config (Any): What will be built: dicts, lists and plain values.

    Raises:
        ConfigTextError: If a ``type`` is not one of ``KNOWN_TYPES``, or
            there is a ``_scope_``.
    """
    for node in dicts_within(config):
        name = node.get('type')
        if '_scope_' in node or (
            'type' in node
            and not (isinstance(name, str) and name in KNOWN_TYPES)
        ):
            wrong = {k: node[k] for k in ('_scope_', 'type') if k in node}
            raise ConfigTextError(
                f'the stored config names {wrong}, which is not built from '
                f'a checkpoint, since it could run code. {ADVICE}'
            )


def _check_tokens(text: str) -> None:
    """Refuse what no config has before Python's parser sees it.

    In Python 3.10 a long chain, as in 1+1+…, a.b.c… or f()()…, overflows
    the parser's stack and ends the process. A chain goes on after a value,
    and in a config only a comma, a colon or a bracket's end follow one.
    """
    position, before = 0, ''
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or (
            token['start'] and before and (before, token[0]) != ('dict', '(')
        ):
            line = text.count('\n', 0, position) + 1
            raise ConfigTextError(
                f'line {line} of the stored config has '
                f'{text[position : position + 20]!r}, where only plain '
                f'values are read: code is never run. {ADVICE}'
            )
        if not token['space']:
            before = token['value'] or ''
        position = token.end()


def dicts_within(node: Any) -> Iterator[dict]:
    """Go through the dicts of a config, at any depth.

    Args:
        node (Any): Dicts, lists, tuples and plain values.

    Yields:
        dict: The outer before the inner.
    """
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            yield from dicts_within(item)


def _value(node: ast.expr) -> Any:
    """Give the value of a literal, or of ``dict(...)``."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.Name(id='inf' | 'nan'):
            return NOT_FINITE[node.id]
        case ast.UnaryOp(
            op=ast.USub(), operand=ast.Constant() | ast.Name()
        ) if isinstance(number := _value(node.operand), int | float):
            return -number
        case ast.List():
            return [_value(item) for item in node.elts]
        case ast.Tuple():
            return tuple(_value(item) for item in node.elts)
        case ast.Dict():
            return _mapping(node)
        # mmengine writes keys that are no identifiers as dict({...}).
        case ast.Call(
            func=ast.Name(id='dict'), args=[ast.Dict() as items], keywords=[]
        ):
            return _mapping(items)
        case ast.Call(func=ast.Name(id='dict'), args=[]):
            return {
                keyword.arg or _refuse(node): _value(keyword.value)
                for keyword in node.keywords
            }
    _refuse(node)


def _mapping(node: ast.Dict) -> dict:
    keys = [_value(key) if key else _refuse(node) for key in node.keys]
    if any(isinstance(key, list | dict | tuple) for key in keys):
        _refuse(node)
    values = [_value(value) for value in node.values]
    return dict(zip(keys, values, strict=True))


def _refuse(node: ast.AST) -> NoReturn:
    raise ConfigTextError(
        f'line {node.lineno} of the stored config has a '
        f'{type(node).__name__}, where only plain values are read: code is '
        f'never run. {ADVICE}'
    )
