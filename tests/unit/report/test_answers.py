"""What is kept of a batch, and what the hand-written prompt says to it."""

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

import mmcoop  # noqa: F401  (registers the heads)
from mmcoop.report.answers import Answer, HandWritten, read_answers

CLIP = dict(name='embedded:tiny_clip')
NAMES = ['cat', 'dog', 'hot dog']


def sample(label, scores, path=None) -> DataSample:
    made = DataSample().set_pred_score(torch.tensor(scores))
    if label is not None:
        made.set_gt_label(label)
    if path is not None:
        made.set_metainfo(dict(img_path=path))
    return made


@pytest.fixture(scope='module')
def head():
    cfg = dict(type='mmcoop.CoOpHead', clip=CLIP, class_names=NAMES)
    return MODELS.build(cfg).eval()


def test_the_best_class_is_kept_with_its_probability():
    samples = [
        sample(0, [0.5, 0.25, 0.25], 'a.png'),
        sample(2, [0.25, 0.75, 0.0]),
    ]
    written = torch.tensor([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    assert read_answers(samples) == [
        Answer(0, 0, 0.5, path='a.png'),
        Answer(2, 1, 0.75),
    ]
    answers = read_answers(samples, written)
    assert [a.written for a in answers] == [2, 0]
    found = [a.written_confidence for a in answers]
    assert found == pytest.approx([0.7, 0.6])


def test_images_without_one_label_are_left_out():
    samples = [
        sample(None, [1.0, 0.0, 0.0]),
        sample([0, 1], [1.0, 0.0, 0.0]),
        sample(1, [0.0, 1.0, 0.0]),
    ]
    written = torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0]])
    (answer,) = read_answers(samples, written)
    assert (answer.label, answer.learned, answer.written) == (1, 1, 2)
    assert read_answers(samples[:2]) == []


def test_hand_written_prompt_is_that_of_the_zero_shot_head(head):
    features = torch.randn(5, head.text_encoder.embed_dim)
    zero_shot = MODELS.build(
        dict(type='mmcoop.ZeroShotHead', clip=CLIP, class_names=NAMES)
    ).eval()
    expected = zero_shot((features,)).softmax(dim=-1)
    written = HandWritten(head)
    written.listen()
    with torch.no_grad():
        head((features,))
    found = written.probabilities(5)
    written.stop()
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_features_of_other_images_are_not_used(head):
    written = HandWritten(head)
    written.listen()
    with torch.no_grad():
        head((torch.randn(4, head.text_encoder.embed_dim),))
    # As where a head is called once per view of an image
    assert written.probabilities(2) is None
    assert written.probabilities(4) is None, 'kept for too long'
    written.stop()
    with torch.no_grad():
        head((torch.randn(4, head.text_encoder.embed_dim),))
    assert written.probabilities(4) is None, 'it still listens'
