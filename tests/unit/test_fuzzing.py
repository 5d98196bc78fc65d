"""The targets of tools/dev/fuzz.py for a moment, and what it has found."""

import importlib.util
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILE = Path(__file__).parents[2] / 'tools' / 'dev' / 'fuzz.py'
spec = importlib.util.spec_from_file_location('mmcoop_fuzz', FILE)
fuzz = importlib.util.module_from_spec(spec)
# The same choices on every machine, busy ones too
FOR_A_MOMENT = settings(
    max_examples=40,
    deadline=20_000,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope='module', autouse=True)
def module():
    """Import the tool, as it is started from anywhere."""
    # Not atheris, which would change how modules are imported.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__('sys').modules, 'atheris', None)
        patch.setitem(__import__('sys').modules, 'mmcoop_fuzz', fuzz)
        spec.loader.exec_module(fuzz)
        yield


NAMES = (
    'split',
    'aircraft',
    'csv',
    'names',
    'features',
    'checkpoint',
    'checkpoint_file',
    'config',
    'results',
    'image',
)


def test_all_targets_are_run():
    assert set(NAMES) == set(fuzz.TARGETS)


@pytest.mark.parametrize('name', NAMES)
def test_seeds_are_read(tmp_path, name):
    """At least one of them gives a result: mutations start from there."""
    target = fuzz.TARGETS[name]
    results = []
    for content in target.seeds(tmp_path):
        try:
            results.append(target.parse(tmp_path, content))
        except target.errors:
            continue
    assert any(result is not None for result in results)


@st.composite
def mutations(draw, contents):
    """Cut, repeat, swap and replace parts of a content."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        part = bytes(content[start:end])
        content[start:end] = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from([b'', part * 2, part[::-1], b'-1', b'1e999'])
                | st.sampled_from([b'null', b'[]', b'"', b'\n', b'\x85', b'{'])
                | st.sampled_from(['\ud800'.encode(errors='surrogatepass')]),
            )
        )
    return bytes(content)


@pytest.mark.parametrize('name', NAMES)
def test_gives_a_result_or_a_documented_error(tmp_path, name):
    target = fuzz.TARGETS[name]

    @FOR_A_MOMENT
    @given(mutations(target.seeds(tmp_path)))
    def check(content):
        fuzz.run(target, tmp_path, content)

    check()


def any_json():
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    return st.recursive(
        plain,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=6,
    )


def in_place_of(content):
    """Give the places within JSON where something else can be put."""
    if isinstance(content, dict | list):
        items = content if isinstance(content, dict) else range(len(content))
        for key in items:
            yield content, key
            yield from in_place_of(content[key])


@pytest.mark.parametrize('name', ['split', 'features', 'results'])
def test_json_of_another_shape_is_refused_or_read(tmp_path, name):
    """What mutations of bytes seldom reach: sound JSON of a wrong kind."""
    target = fuzz.TARGETS[name]
    seed, *others = target.seeds(tmp_path)[0].partition(fuzz.BETWEEN)
    number = len(list(in_place_of(json.loads(seed))))

    @FOR_A_MOMENT
    @given(st.integers(0, number - 1), any_json())
    def check(which, value):
        content = json.loads(seed)
        holder, key = list(in_place_of(content))[which]
        holder[key] = value
        text = json.dumps(content, allow_nan=True).encode()
        fuzz.run(target, tmp_path, b''.join([text, *others]))

    check()
