"""A stored config is read in full, and never run."""

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmcoop.apis.checkpoint_config import (
    ConfigTextError,
    check_types,
    parse_config,
)

CONFIGS = Path(__file__).parents[3] / 'configs'


@pytest.mark.parametrize(
    'name',
    [
        'coop/tinyclip_16shot_emoji_cached.py',
        'coop/vitb16_16shot_m4_words_imagenet.py',
        'zero_shot/rn50_imagenet.py',
    ],
)
def test_reads_what_mmengine_writes(name):
    cfg = Config.fromfile(CONFIGS / name)
    assert parse_config(cfg.pretty_text) == cfg.to_dict()


def test_reads_all_plain_values():
    values = dict(
        texts=['a', "it's", '"', 'a"b\'c', 'ü 🦆', '[1+', 'a\nb\\', '#', ''],
        numbers=[0, -1, 1.5, -2e-05, 1e20, float('inf'), -float('inf')],
        others=(None, True, False),
        empty=[(), [], {}],
        nested=((1,), [[2], {'a b': dict(c=1), 3: (4,)}]),
    )
    assert parse_config(Config(values).pretty_text) == values
    assert parse_config(Config(values).pretty_text.replace('    ', '\t'))
    assert parse_config('# a comment (\na = 1  # and "one\n') == dict(a=1)
    assert parse_config('') == {}


@pytest.mark.parametrize(
    'text',
    [
        'a = __import__("pathlib").Path("ran").touch()',
        'from pathlib import Path',
        'a = open',
        'a = open("ran", "w")',
        'a = dict(b=open("ran", "w"))',
        'a = dict([("b", 1)])',
        'a = dict(**{"b": 1})',
        'a = {**{}}',
        'a = {[]: 1}',
        'a = {(1, 2): 1}',
        'a.b = 1',
        'a[0] = 1',
        'a = b = 1',
        'a, b = 1, 2',
        'a = 1 + 1',
        'a = [1][0]',
        'a = (1).real',
        'a = [x for x in (1,)]',
        'a = lambda: 1',
        'a = 1 if 1 else 2',
        'a = not 1',
        'a = --1',
        'a = -"b"',
        'a = b"c"',
        'a = f"{1}"',
        "a = f'{open}'",
        'a = 1j',
        'a = ...',
        'a = """b"""',
        'a = "b" "c',
        'a = "b\0c"',
        'a = "\ud800"',
        'a: int = 1',
        'a = (b := 1)',
        'if True:\n    a = 1',
        'dict(a=1)',
        '{"a": 1}',
        '1',
        None,
        b'a = 1',
        'a = ' + '1' * 20000,
        'a = "' + 'b' * 5_000_000 + '"',
    ],
)
def test_refuses_all_else(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigTextError):
        parse_config(text)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'text',
    [
        # The first four end a process of Python 3.10 in its own parser.
        'a = ' + '1+' * 300_000 + '1',
        'a = b' + '.c' * 300_000,
        'a = b' + '()' * 300_000,
        'a = b' + '[0]' * 300_000,
        'a = ' + '[' * 100_000,
        'a = ' + '[' * 5_000 + ']' * 5_000,
        'a = ' + 'dict(a=' * 5_000 + '1' + ')' * 5_000,
        'a = ' + '-' * 300_000 + '1',
        "a = '''a'b''' " + '+1' * 300_000 + " '",
        'a = ' + 'not ' * 300_000 + '1',
    ],
    ids=range(10),
)
def test_refuses_what_overflows_a_stack(text):
    with pytest.raises(ConfigTextError):
        parse_config(text)


def test_names_the_line():
    with pytest.raises(ConfigTextError, match='line 2 .*Name'):
        parse_config('a = 1\nb = c\n')
    with pytest.raises(ConfigTextError, match=r"line 2 .*'\+ 1"):
        parse_config('a = 1\nb = 1 + 1\n')


@pytest.mark.parametrize(
    'config',
    [
        dict(type='os.mkdir'),
        dict(type='mmengine.Registry'),
        dict(type='mmcoop.os'),
        dict(type='ImageClassifier', head=[dict(type='torch.nn.Linear')]),
        dict(type='ImageClassifier', _scope_='this_package_is_not'),
        dict(_scope_='mmpretrain'),
        dict(type=dict),
        dict(type=None),
        dict(type=['ImageClassifier']),
        [({1: dict(type='CheckpointHook')},)],
    ],
)
def test_unknown_components_are_refused(config):
    before = set(sys.modules)
    with pytest.raises(ConfigTextError, match='config='):
        check_types(config)
    assert set(sys.modules) == before


def test_known_components_are_accepted():
    check_types(
        dict(
            type='ImageClassifier',
            head=dict(type='mmcoop.CoOpHead'),
            steps=[dict(type='mmpretrain.ResizeEdge', scale=64)],
        )
    )
