"""Each form holds what the classifier computes, and appears whole."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmpretrain import get_model
from PIL import Image
from safetensors import safe_open

from mmcoop.engine import CommandError
from mmcoop.export import FORMATS, ExportError, check_export, export
from mmcoop.export.fixed_classifier import fix
from mmcoop.export.verify import Verifier

pytest.importorskip('onnxscript')
onnxruntime = pytest.importorskip('onnxruntime')
needs_onnx_exporter = pytest.mark.skipif(
    torch.__version__.startswith('2.6.'), reason="torch 2.6's exporter fails"
)


@pytest.fixture(scope='module')
def images():
    """Noise, which no verification has seen."""
    random = np.random.default_rng(1)
    return [
        random.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(5)
    ]


def prepare(classifier, images):
    """Preprocess images as an exported file says it."""
    metadata = fix(classifier).metadata()
    height, width = metadata['image_size']
    batch = []
    for image in images:
        image = Image.fromarray(image[..., ::-1])
        image = np.asarray(image.resize((width, height), Image.BILINEAR))
        image = image - np.float32(metadata['mean'])
        batch.append(image / np.float32(metadata['std']))
    return np.stack(batch).transpose(0, 3, 1, 2).astype(np.float32)


def scores_of(classifier, images):
    return classifier.scores(classifier.image_features(images)).numpy()


def load_onnx(path):
    session = onnxruntime.InferenceSession(path)
    return lambda batch: session.run(['scores'], {'images': batch})[0]


def load_pt2(path):
    module = torch.export.load(path).module()

    def compute(batch):
        with torch.no_grad():
            return module(torch.from_numpy(batch))[1].numpy()

    return compute


@pytest.mark.parametrize(
    ('kind', 'to', 'load'),
    [
        pytest.param(
            'classifier', 'onnx', load_onnx, marks=needs_onnx_exporter
        ),
        pytest.param('resnet', 'onnx', load_onnx, marks=needs_onnx_exporter),
        ('classifier', 'pt2', load_pt2),
    ],
)
def test_programs(request, tmp_path, images, kind, to, load):
    classifier = request.getfixturevalue(kind)
    done = export(classifier, to, tmp_path / 'new' / f'a.{to}')
    assert done.difference < 1e-4
    compute = load(done.files[0])
    batch = prepare(classifier, images)
    expected = scores_of(classifier, images)
    assert expected.std(axis=0).min() > 0.005
    for first, stop in ((0, 1), (1, 3), (0, 5)):
        np.testing.assert_allclose(
            compute(batch[first:stop]), expected[first:stop], atol=1e-4
        )


def test_an_exporter_that_fails_is_said(classifier, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise torch.onnx.OnnxExporterError('see above')

    monkeypatch.setattr(torch.onnx, 'export', fail)
    with pytest.raises(CommandError, match=r'cannot write .* use a newer tor'):
        export(classifier, 'onnx', tmp_path / 'a.onnx')
    assert not list(tmp_path.iterdir())


def test_metadata(make):
    classifier = make(temperature=2.0)
    classifier.rejection = dict(score='mcm', temperature=1.0, threshold=0.5)
    fixed = fix(classifier)
    found = fixed.metadata()
    assert found['class_names'] == ['cat', 'dog', 'fire truck']
    assert found['image_size'] == [16, 16]
    assert found['mean'] == pytest.approx([122.77, 116.75, 104.09], abs=0.01)
    assert found['rejection'] == classifier.rejection
    assert found['scale'] == pytest.approx(10 / 2)
    strings = fixed.metadata_strings()
    assert strings['channel_order'] == 'RGB'
    assert json.loads(strings['std']) == found['std']


def load_linear(files):
    checkpoint, config = files
    model = get_model(str(config), pretrained=str(checkpoint), device='cpu')

    def compute(batch):
        with torch.no_grad():
            return model(torch.from_numpy(batch)).softmax(-1).numpy()

    return model, compute


@pytest.mark.parametrize(
    ('options', 'precise'),
    [
        (dict(), 1e-4),
        (dict(model_cfg=dict(quick_gelu=True), temperature=2.0), 1e-4),
        (dict(model_cfg=dict(init_logit_bias=-3.0)), 1e-4),
        # What differs is the rounding of the original
        (dict(precision='bf16'), 0.1),
    ],
)
def test_linear_is_mmpretrain_s_own(make, tmp_path, images, options, precise):
    classifier = make(**options)
    done = export(classifier, 'linear', tmp_path / 'a.pth')
    assert done.note == 'runs with mmpretrain alone'
    assert 'mmcoop.' not in done.files[1].read_text().split('"""')[2]
    model, compute = load_linear(done.files)
    modules = {type(module).__module__ for module in model.modules()}
    assert not any('open_clip' in name for name in modules)
    np.testing.assert_allclose(
        compute(prepare(classifier, images)),
        scores_of(classifier, images),
        atol=precise,
    )


def test_linear_of_a_resnet_needs_mmcoop(resnet, tmp_path, images):
    done = export(resnet, 'linear', tmp_path / 'a.pth')
    assert done.note.startswith("needs mmcoop: CLIP's ResNet pools by")
    model, compute = load_linear(done.files)
    assert not hasattr(model.head, 'text_encoder')
    assert 'allow_failed_imports=False' in done.files[1].read_text()
    np.testing.assert_allclose(
        compute(prepare(resnet, images)),
        scores_of(resnet, images),
        atol=1e-4,
    )


def test_safetensors(make, tmp_path, images):
    classifier = make(model_cfg=dict(init_logit_bias=-3.0))
    done = export(classifier, 'safetensors', tmp_path / 'a.safetensors')
    with safe_open(done.files[0], framework='numpy') as file:
        features = file.get_tensor('text_features')
        strings = file.metadata()
    metadata = json.loads(done.files[1].read_text())
    assert json.loads(strings['class_names']) == metadata['class_names']
    assert metadata['clip'] == classifier.model.backbone.clip
    assert len(metadata['clip_fingerprint']) == 16
    image_features = classifier.image_features(images).numpy()
    logits = metadata['scale'] * image_features @ features.T
    expected = classifier.model.head((torch.from_numpy(image_features),))
    np.testing.assert_allclose(
        logits + metadata['bias'], expected.detach().numpy(), atol=1e-4
    )


def test_other_classes_get_a_place_for_their_data(classifier, tmp_path):
    other = classifier.with_classes(['okapi', 'zebra'])
    done = export(other, 'linear', tmp_path / 'a.pth', test_data=False)
    model, _ = load_linear(done.files)
    assert model._dataset_meta['classes'] == ('okapi', 'zebra')
    assert "classes=[\n            'okapi'" in done.files[1].read_text()


@pytest.mark.parametrize('to', ['linear', 'safetensors'])
def test_what_differs_is_not_written(classifier, tmp_path, monkeypatch, to):
    fixed = fix(classifier)
    wrong = replace(fixed, text_features=fixed.text_features.flip(0))
    module = sys.modules['mmcoop.export.export']
    monkeypatch.setattr(module, 'fix', lambda classifier: wrong)
    out = tmp_path / 'new' / f'a{FORMATS[to][0]}'
    with pytest.raises(ExportError, match='differs from PyTorch on 16 image'):
        export(classifier, to, out)
    assert list(tmp_path.iterdir()) == []


def test_the_images_tell_classes_apart(classifier):
    scores = Verifier(classifier).logits.softmax(-1)
    assert len(scores) == 16
    assert scores.std(dim=0).min() > 0.01


def test_files_are_not_overwritten(classifier, tmp_path):
    config = tmp_path / 'a.py'
    config.write_text('mine = True')
    with pytest.raises(CommandError, match=r'a\.py exists already.*overwrite'):
        export(classifier, 'linear', tmp_path / 'a.pth')
    assert config.read_text() == 'mine = True'
    export(classifier, 'linear', tmp_path / 'a.pth', overwrite=True)
    assert 'ImageClassifier' in config.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {'a.py', 'a.pth'}


def test_what_cannot_be_written(classifier, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    with pytest.raises(
        CommandError, match=r'file cannot be written \(.*: give'
    ):
        export(classifier, 'safetensors', tmp_path / 'file' / 'a.safetensors')
    with pytest.raises(CommandError, match='is a folder: give a file in it'):
        export(classifier, 'onnx', tmp_path)
    with pytest.raises(CommandError, match=r'give --out .*a\.onnx\.'):
        export(classifier, 'onnx', tmp_path / 'a.pth')
    with pytest.raises(CommandError, match="'tflite' is no form"):
        export(classifier, 'tflite', tmp_path / 'a.tflite')
    with pytest.raises(CommandError, match='would be overwritten'):
        check_export('linear', tmp_path / 'a.pth', [tmp_path / 'a.pth'], True)
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    with pytest.raises(CommandError, match='`pip install onnxscript`'):
        export(classifier, 'onnx', tmp_path / 'a.onnx')
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_full_disk_leaves_nothing(classifier, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(CommandError, match='No space left on device'):
        export(classifier, 'linear', tmp_path / 'a.pth')
    assert list(tmp_path.iterdir()) == []
