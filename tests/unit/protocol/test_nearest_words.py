import json
from pathlib import Path

import pytest
import torch
from tool_process import run_tool

from mmcoop.models.clip import text_encoder
from mmcoop.protocol.nearest_words import nearest_words, to_markdown
from mmcoop.protocol.official_checkpoint import our_checkpoint

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope='module')
def encoder():
    return text_encoder(dict(name='embedded:tiny_clip'))


def embedding_of(encoder, word):
    token = encoder.tokenizer([word])[0, 1]
    return encoder.token_embedding.weight[token].detach()


def test_a_words_own_vector_is_nearest_to_it(encoder):
    ctx = torch.stack([embedding_of(encoder, w) for w in ('photo', 'dog')])
    words = nearest_words(ctx, encoder, num_words=3)
    assert [found[0] for found in words] == [('photo', 0.0), ('dog', 0.0)]
    for found in words:
        distances = [distance for _, distance in found]
        assert len(found) == 3
        assert distances == sorted(distances)


def test_distances_are_euclidean_and_unused_words_left_out(encoder):
    # Rows of zeros are words that the tower never saw; all are equally near.
    ctx = torch.full((1, encoder.width), 1e-3)
    ((word, distance),) = nearest_words(ctx, encoder, num_words=1)[0]
    weights = encoder.token_embedding.weight
    used = weights[weights.abs().sum(1) > 0]
    assert distance == pytest.approx(
        float((used - ctx).norm(dim=1).min()), abs=1e-3
    )
    assert word


def test_class_specific_contexts_have_words_per_class(encoder):
    ctx = torch.stack([embedding_of(encoder, w) for w in ('photo', 'dog')])
    words = nearest_words(ctx[:, None], encoder, num_words=1)
    assert words == [[[('photo', 0.0)]], [[('dog', 0.0)]]]
    table = to_markdown(words, ['a', 'b'])
    assert '| class | vector |' in table
    assert '| b | 1 | dog (0.0000) |' in table


def test_other_width_is_refused(encoder):
    with pytest.raises(ValueError, match='vectors of 7 numbers, but embedded'):
        nearest_words(torch.ones(2, 7), encoder)


def test_tool_writes_table_and_json(encoder, tmp_path):
    ctx = torch.stack([embedding_of(encoder, w) for w in ('photo', 'dog')])
    names = ['cat', 'hen']
    torch.save(our_checkpoint(ctx[:, None], 1, names), tmp_path / 'csc.pth')
    command = [
        'interpret_context.py',
        ROOT / 'configs' / 'coop' / 'tinyclip_1shot_emoji.py',
        *(tmp_path / 'csc.pth', '--words', '2', '--classes', 'hen'),
    ]
    done = run_tool(*command, '--out', 'words.json', cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert '| hen | 1 | dog (0.0000), ' in done.stdout
    found = json.loads((tmp_path / 'words.json').read_text())
    assert found['class_names'] == ['hen']
    assert found['nearest_words'][0][0][0] == ['dog', 0.0]
    done = run_tool(*command[:-1], 'dog', cwd=tmp_path)
    assert '--classes dog: the context has no such class' in done.stdout
