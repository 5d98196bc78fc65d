"""What the page says about an image, and what it finds to be like it."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpretrain.registry import MODELS, TRANSFORMS
from PIL import Image

from mmcoop.apis import Classifier
from mmcoop.app import Comparison, TrainingImages

NAMES = ('dog', 'hot dog', 'ox')
TEMPLATE = 'a photo of a {}.'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Eight images of noise per class, and a file that is none."""
    folder = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for name in NAMES:
        (folder / name).mkdir()
        for index in range(8):
            pixels = rng.integers(0, 256, (70, 70, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f'{index}.png')
    (folder / 'text.png').write_text('no image')
    return folder


@pytest.fixture(scope='module')
def make_classifier(folder):
    def make(type='mmcoop.CoOpHead', rejection=None, **head):
        clip = dict(name='embedded:tiny_clip')
        if 'class_specific' in head:
            head = dict(prompt_learner=dict(head))
        model = dict(
            type='ImageClassifier',
            backbone=dict(type='mmcoop.CLIPVision', clip=clip),
            data_preprocessor=dict(
                mean=[122.7709383, 116.7460125, 104.09373615],
                std=[68.5005327, 66.6321375, 70.32316305],
                to_rgb=True,
            ),
            head=dict(type=type, clip=clip, class_names=NAMES, **head),
        )
        steps = [
            dict(type='mmcoop.LoadImageFromFile'),
            dict(type='CenterCrop', crop_size=64),
            dict(type='PackInputs'),
        ]
        data = dict(type='CustomDataset', data_root=str(folder))
        return Classifier(
            MODELS.build(dict(model, _scope_='mmpretrain')),
            Compose(
                TRANSFORMS.build(dict(s, _scope_='mmpretrain')) for s in steps
            ),
            Config(dict(train_dataloader=dict(dataset=data))),
            rejection=rejection,
        )

    torch.manual_seed(0)
    return make


@pytest.fixture(scope='module')
def classifier(make_classifier):
    return make_classifier()


@pytest.fixture(scope='module')
def image(folder):
    return str(folder / 'ox' / '3.png')


def test_learned_scores_are_those_of_predict(classifier, image):
    (prediction,) = classifier.predict(image, top_k=3)
    answer = Comparison(classifier).answer(image, NAMES, TEMPLATE)
    assert tuple(answer.learned) == NAMES
    for name, score in zip(prediction.names, prediction.scores, strict=True):
        assert answer.learned[name] == pytest.approx(score, rel=1e-6)


def test_written_scores_are_those_of_zero_shot(
    make_classifier, classifier, image
):
    written = make_classifier('mmcoop.ZeroShotHead', template=TEMPLATE)
    (prediction,) = written.predict(image, top_k=3)
    answer = Comparison(classifier).answer(image, NAMES, TEMPLATE)
    for name, score in zip(prediction.names, prediction.scores, strict=True):
        assert answer.written[name] == pytest.approx(score, rel=1e-5)


def test_other_names_leave_the_classifier_as_it_is(classifier, image):
    comparison = Comparison(classifier)
    before = comparison.answer(image, NAMES, TEMPLATE)
    other = comparison.answer(image, ['zebra', 'okapi'], TEMPLATE)
    assert tuple(other.learned) == ('zebra', 'okapi')
    after = comparison.answer(image, NAMES, TEMPLATE)
    assert after.learned == before.learned


def test_fit_is_what_predict_rejects_by(make_classifier, classifier, image):
    fit = Comparison(classifier).answer(image, NAMES, TEMPLATE).fit
    for threshold, rejected in ((fit - 1e-6, False), (fit + 1e-6, True)):
        rejection = dict(score='mcm', temperature=1.0, threshold=threshold)
        rejecting = Classifier(
            classifier.model, classifier.pipeline, classifier.cfg, rejection
        )
        assert Comparison(rejecting).threshold == threshold
        (prediction,) = rejecting.predict(image)
        assert prediction.rejected == rejected


def test_one_class_fits_or_not_nobody_knows(classifier, image):
    answer = Comparison(classifier).answer(image, ['ox'], TEMPLATE)
    assert answer.learned == {'ox': 1.0}
    assert answer.fit is None


def test_class_specific_contexts_keep_their_names(make_classifier, image):
    comparison = Comparison(make_classifier(class_specific=True))
    assert not comparison.takes_names
    with pytest.raises(ValueError, match='class-specific'):
        comparison.answer(image, ['zebra'], TEMPLATE)


@pytest.mark.parametrize(
    ('file', 'names', 'template', 'message'),
    [
        ('text.png', NAMES, TEMPLATE, 'is no image'),
        ('gone.png', NAMES, TEMPLATE, 'no such file'),
        ('ox/3.png', [], TEMPLATE, 'there are no class names'),
        ('ox/3.png', ['ox', 'ox'], TEMPLATE, 'ox'),
        ('ox/3.png', ['a ' * 80], TEMPLATE, 'token'),
        ('ox/3.png', NAMES, 'a photo', 'write {} once'),
    ],
)
def test_bad_input(classifier, folder, file, names, template, message):
    with pytest.raises(ValueError, match=message):
        Comparison(classifier).answer(str(folder / file), names, template)


def test_an_image_is_nearest_to_itself(classifier, folder, image):
    (folder / 'text.png').rename(folder / 'text.hidden')
    found = TrainingImages(classifier, trusted=False, limit=100)
    (folder / 'text.hidden').rename(folder / 'text.png')
    assert len(found) == found.total == 24
    features = classifier.image_features(image)
    first, second = found.nearest(features, 2)
    assert (first.path, first.name) == (image, 'ox')
    assert first.cosine == pytest.approx(1, abs=1e-5)
    assert second.cosine < first.cosine
    assert first.picture().size == (70, 70)


def test_few_of_many_training_images_are_taken_evenly(classifier):
    found = TrainingImages(classifier, trusted=False, limit=7)
    assert (len(found), found.total) == (6, 24)
    features = torch.nn.functional.normalize(torch.ones(1, 512), dim=1)
    features = features[:, : found.features.shape[1]]
    assert {n.name for n in found.nearest(features, 6)} == set(NAMES)


def test_training_images_may_be_elsewhere(make_classifier):
    classifier = make_classifier()
    classifier.cfg.train_dataloader.dataset.data_root = 'nowhere'
    with pytest.raises((OSError, ValueError), match='nowhere'):
        TrainingImages(classifier, trusted=False, limit=7)
