"""A classifier names images of any kind, and any classes."""

import copy
import threading
import time

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import mmcoop
from mmcoop.apis import classifier as classifier_module
from mmcoop.apis.images import ImageError


def test_all_kinds_of_images_get_the_same_scores(classifier, images):
    folder = classifier.predict(images, top_k=4)
    files = [item.source for item in folder]
    assert [file.replace(f'{images}/', '') for file in files] == [
        'a.png',
        'b/a.jpg',
        'b/b.png',
        'c.png',
        'd.bmp',
    ]
    for kind in (
        files,
        iter(files),
        [Image.open(file) for file in files],
        [np.asarray(Image.open(f).convert('RGB'))[..., ::-1] for f in files],
        [files[0], images / 'b', Image.open(files[3]), files[4]],
    ):
        named = classifier.predict(kind, top_k=4)
        assert [item.scores for item in named] == [i.scores for i in folder]
        assert [item.names for item in named] == [i.names for i in folder]


def test_arrays_are_as_opencv_reads_them(classifier, images):
    path = str(images / 'a.png')
    named = classifier.predict([path, cv2.imread(path)])
    assert named[0].score == named[1].score
    assert [item.source for item in named] == [path, 'image 1']


def test_predictions_are_consistent(classifier, images):
    features = classifier.image_features(images)
    scores = classifier.scores(features)
    assert features.shape == (5, classifier.text_features.shape[1])
    assert torch.allclose(features.norm(dim=1), torch.ones(5))
    assert torch.allclose(scores.sum(dim=1), torch.ones(5))
    for row, item in zip(
        scores, classifier.predict(images, top_k=9), strict=True
    ):
        ordered, labels = row.sort(descending=True)
        names = [classifier.class_names[label] for label in labels]
        assert item.names == tuple(names)
        assert np.allclose(item.scores, ordered, atol=1e-6)
        assert item.label == labels[0]
        assert item.name == item.names[0]
        assert item.score == item.scores[0]
        assert not item.rejected
        assert item.error is None


def test_batches_do_not_matter(classifier, images):
    one, all_ = (classifier.predict(images, batch_size=n) for n in (1, 32))
    assert [item.name for item in one] == [item.name for item in all_]
    scores = [[item.score for item in items] for items in (one, all_)]
    assert np.allclose(*scores, atol=1e-6)


def test_a_broken_image_does_not_stop_the_rest(classifier, images, tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes((images / 'a.png').read_bytes()[:100])
    missing, good = tmp_path / 'missing.png', images / 'a.png'
    (tmp_path / 'empty').mkdir()
    given = [good, broken, missing, 3, tmp_path / 'empty', good]
    named = classifier.predict(given, batch_size=2)
    assert [item.source for item in named] == [
        *map(str, (good, broken, missing)),
        'image 3',
        *map(str, (tmp_path / 'empty', good)),
    ]
    errors = [item.error for item in named]
    assert errors[0] is errors[5] is None
    assert named[0].name == named[5].name in classifier.class_names
    for error, part in zip(
        errors[1:5], ['cut|trunc', 'no such', 'int', 'no images'], strict=True
    ):
        assert any(word in error for word in part.split('|')), error
    assert all(
        item.name is item.score is item.label is None for item in named[1:5]
    )
    with pytest.raises(ValueError, match=f'{missing}: there is no such file'):
        classifier.image_features([good, missing])


def test_no_images_give_no_predictions(classifier, tmp_path):
    assert classifier.predict([]) == []
    assert classifier.predict(iter(())) == []
    assert classifier.image_features([]).shape[0] == 0
    with pytest.raises(ImageError, match='holds no images'):
        classifier.predict(tmp_path)


@pytest.mark.parametrize(
    'numbers', [dict(batch_size=0), dict(top_k=0), dict(batch_size=2.5)]
)
def test_numbers_out_of_range_are_refused(classifier, images, numbers):
    with pytest.raises(ValueError, match=r'whole number from 1 on'):
        classifier.predict(images, **numbers)


def test_an_iterator_is_never_in_memory_whole(classifier):
    """At most the images of one batch live at a time, and one is awaited."""
    alive, most = [], []

    class Counted(np.ndarray):
        def __del__(self):
            alive.pop()

    def draw():
        for _ in range(20):
            alive.append(1)
            most.append(len(alive))
            yield np.zeros((64, 64, 3), np.uint8).view(Counted)

    assert len(classifier.predict(draw(), batch_size=4)) == 20
    assert max(most) <= 2 * 4 + 1


def test_text_is_encoded_once(classifier, images, monkeypatch):
    new = classifier.with_classes(['zebra', 'okapi'])
    encode, calls = new.model.head.encode_text, []
    monkeypatch.setattr(
        new.model.head, 'encode_text', lambda: calls.append(1) or encode()
    )
    new.predict(images, batch_size=1)
    new.predict(images)
    assert new.text_features.shape[0] == 2
    assert calls == [1]


def test_long_work_has_a_progress_bar(classifier, monkeypatch, capfd):
    image = np.zeros((64, 64, 3), np.uint8)
    threads = threading.active_count()
    classifier.predict([image] * 3)
    assert capfd.readouterr() == ('', '')
    monkeypatch.setattr(classifier_module, 'SILENT_SECONDS', 0.01)

    def slowly():
        for _ in range(3):
            # Longer than tqdm waits between two looks
            time.sleep(0.15)
            yield image

    classifier.predict(slowly(), batch_size=1)
    assert '3 images' in capfd.readouterr().err
    assert threading.active_count() == threads


def test_other_classes_share_the_towers(classifier, images):
    names, features = classifier.class_names, classifier.text_features
    before = classifier.predict(images)
    new = classifier.with_classes(['zebra', 'okapi', 'dog'])
    assert new.class_names == ('zebra', 'okapi', 'dog')
    assert new.model.backbone is classifier.model.backbone
    assert new.model.head.text_encoder is classifier.model.head.text_encoder
    assert new.model.head is not classifier.model.head
    # The same context before the same name
    assert torch.allclose(new.text_features[2], features[0], atol=1e-6)
    assert {item.name for item in new.predict(images)} <= set(new.class_names)
    assert classifier.class_names is names
    assert torch.equal(classifier.text_features, features)
    assert classifier.predict(images) == before
    ctx = new.model.head.prompt_learner.ctx
    assert torch.equal(ctx, classifier.model.head.prompt_learner.ctx)


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        ([], 'is empty'),
        (['zebra', ' '], 'empty name for label 1'),
        (['zebra', 'okapi', 'zebra'], 'same name for several labels'),
        (['zebra ' * 80], 'do not fit'),
        (['zebra', 3], 'must be a string'),
        ('zebra', 'give a list'),
    ],
)
def test_names_that_do_not_work_are_refused(classifier, names, message):
    with pytest.raises((TypeError, ValueError), match=message):
        classifier.with_classes(names)


def test_class_specific_contexts_take_no_other_classes(
    make_checkpoint, tmp_path, images
):
    head = dict(prompt_learner=dict(num_context=4, class_specific=True))
    torch.save(make_checkpoint(head), tmp_path / 'a.pth')
    classifier = mmcoop.load(tmp_path / 'a.pth')
    assert classifier.predict(images)[0].name in classifier.class_names
    # As many as there are vectors for
    with pytest.raises(ValueError, match='class-specific.*4 classes'):
        classifier.with_classes(['a', 'b', 'c', 'd'])


def test_what_fits_no_class_is_none_of_these(
    checkpoint, tmp_path, images, classifier
):
    cosines = classifier.image_features(images) @ classifier.text_features.T
    best = (cosines / 0.1).softmax(dim=1).amax(dim=1)
    threshold = float(best.sort().values[2])
    changed = copy.deepcopy(checkpoint)
    changed['meta']['rejection'] = dict(
        score='mcm', temperature=0.1, threshold=threshold
    )
    torch.save(changed, tmp_path / 'a.pth')
    rejecting = mmcoop.load(tmp_path / 'a.pth')
    assert rejecting.rejection['threshold'] == threshold
    closed, opened = (c.predict(images) for c in (classifier, rejecting))
    for was, now, fits in zip(closed, opened, best >= threshold, strict=True):
        assert now.rejected is not bool(fits)
        assert now.name == ('none of these' if now.rejected else was.name)
        assert now.label == (None if now.rejected else was.label)
        assert (now.names, now.scores) == (was.names, was.scores)
    assert sum(item.rejected for item in opened) == 2
    other = rejecting.with_classes(['zebra', 'okapi'])
    assert other.rejection is None
    assert rejecting.rejection is not None


def test_calibrated_probabilities(checkpoint, tmp_path, images, classifier):
    changed = copy.deepcopy(checkpoint)
    changed['meta']['calibration'] = dict(temperature=2.0)
    torch.save(changed, tmp_path / 'a.pth')
    calibrated = mmcoop.load(tmp_path / 'a.pth')
    features = classifier.image_features(images)
    expected = classifier.scores(features).sqrt()
    expected /= expected.sum(dim=1, keepdim=True)
    assert torch.allclose(calibrated.scores(features), expected, atol=1e-6)
    assert calibrated.with_classes(['a', 'b']).temperature == 1


def test_it_says_what_it_is(classifier):
    assert repr(classifier) == (
        'Classifier(embedded:tiny_clip, 4 classes: dog, hot dog, tench, …)'
    )
