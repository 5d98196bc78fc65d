"""The original implementation's numbers, all seven cases.

Float32 on the CPU. 1e-5 relative leaves room for another order of additions
and nothing else; after three epochs of training it is 1e-4, since every step
starts from the rounding of the one before.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden import CASES, CLASS_NAMES, Case
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.hooks import Hook
from mmengine.model import BaseDataPreprocessor
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

from mmcoop.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


@pytest.fixture
def model(case, golden_clip):
    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            # Images come normalised.
            data_preprocessor=BaseDataPreprocessor(),
            backbone=dict(type='mmcoop.CLIPVision', clip=golden_clip),
            head=dict(
                type='mmcoop.CoOpHead',
                clip=golden_clip,
                class_names=CLASS_NAMES,
                prompt_learner=case.prompt_learner,
            ),
        )
    ).eval()
    ctx, *_ = case.inputs()
    if 'ctx_init' not in case.prompt_learner:
        with torch.no_grad():
            model.head.prompt_learner.ctx.copy_(ctx)
    return model


def assert_close(
    actual: torch.Tensor, expected: np.ndarray, tolerance: float
) -> None:
    """Compare relative to the largest expected value."""
    actual = actual.detach().numpy()
    assert actual.shape == expected.shape
    error = np.abs(actual - expected).max() / np.abs(expected).max()
    assert error < tolerance


def labelled(labels: torch.Tensor) -> list[DataSample]:
    return [DataSample().set_gt_label(int(label)) for label in labels]


def test_prompts_have_the_original_tokens(case, model):
    learner = model.head.prompt_learner
    layout, numbers = learner.layout, case.numbers
    M = learner.num_context
    # Back to the order before names moved: context first, then the name.
    for k, name_length in enumerate(numbers['name_lens']):
        index = layout.context_index[k]
        ids = layout.token_ids[k][index < 0].tolist()
        expected = numbers['token_ids'][k]
        expected = np.delete(expected, range(1, 1 + M))
        assert ids[: len(expected)] == expected.tolist()
        first = int((index == -1)[1:].long().argmax()) + 1
        before = dict(end=M, middle=M // 2, front=0)
        assert first == 1 + before[learner.class_token_position]
        vectors = index[: 1 + M + name_length]
        assert sorted(vectors[vectors >= 0].tolist()) == list(range(M))


@pytest.mark.parametrize('case', [CASES[-1]], indirect=True)
def test_context_from_words(case, model):
    assert_close(model.head.prompt_learner.ctx, case.numbers['ctx0'], 1e-7)


def test_features_logits_loss_and_gradient(case, model):
    _, images, labels = case.inputs()
    numbers = case.numbers

    assert_close(model.head.encode_text(), numbers['text_features'], 1e-5)
    feats = model.backbone(images[:6])
    assert_close(feats[0], numbers['image_features'], 1e-5)
    assert_close(model.head(feats), numbers['logits'], 1e-5)
    loss = model.head.loss(feats, labelled(labels[:6]))['loss']
    assert_close(loss, numbers['loss'], 1e-5)
    loss.backward()
    assert_close(model.head.prompt_learner.ctx.grad, numbers['grad'], 1e-5)


def test_plain_prompts_give_the_same(case, model):
    head, numbers = model.head, case.numbers
    prompts = head.prompt_learner(head.text_encoder)
    features = head.text_encoder(prompts, head.prompt_learner.layout)
    assert_close(features, numbers['text_features'], 1e-5)


class Record(Hook):
    """Note learning rates, losses and contexts as training goes on."""

    priority = 'LOWEST'

    def __init__(self):
        self.lrs, self.losses, self.contexts = [], [], []

    def before_train_epoch(self, runner):
        self.lrs.append(runner.optim_wrapper.param_groups[0]['lr'])

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self.losses.append(outputs['loss'].item())

    def after_train_epoch(self, runner):
        ctx = runner.model.head.prompt_learner.ctx
        self.contexts.append(ctx.detach().clone())


def test_training_as_our_configs_set_it_up(case, model, tmp_path):
    _, images, labels = case.inputs()
    samples = [
        dict(inputs=image, data_samples=label)
        for image, label in zip(images, labelled(labels), strict=True)
    ]
    cfg = Config.fromfile(CONFIGS / '_base_/schedules/coop_50e.py')
    epochs = len(case.numbers['lrs'])
    cfg.merge_from_dict(
        {
            'param_scheduler.1.T_max': epochs,
            'param_scheduler.1.end': epochs,
            'train_cfg.max_epochs': epochs,
        }
    )
    record = Record()
    runner = Runner(
        model,
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(
            samples, batch_size=6, collate_fn=default_collate
        ),
        train_cfg=cfg.train_cfg,
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.param_scheduler,
        custom_hooks=[record],
        default_scope='mmpretrain',
        experiment_name=f'golden_{case.name}',
    )
    runner.train()

    np.testing.assert_allclose(
        record.lrs, case.numbers['lrs'], rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        record.losses, case.numbers['losses'], rtol=1e-4
    )
    for ctx, expected in zip(
        record.contexts, case.numbers['ctx_after_epoch'], strict=True
    ):
        assert_close(ctx, expected, 1e-4)


@pytest.mark.parametrize(
    ('precision', 'tolerance'), [('fp16', 5e-3), ('bf16', 4e-2)]
)
def test_half_precision(case, model, golden_clip, precision, tolerance):
    """Rounded to 3 and 2 digits in the towers, and never NaN.

    Context, normalisation, logits and loss stay float32.
    """
    clip = dict(golden_clip, precision=precision)
    half = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            data_preprocessor=BaseDataPreprocessor(),
            backbone=dict(type='mmcoop.CLIPVision', clip=clip),
            head=dict(
                type='mmcoop.CoOpHead',
                clip=clip,
                class_names=CLASS_NAMES,
                prompt_learner=case.prompt_learner,
            ),
        )
    ).eval()
    half.load_state_dict(model.state_dict())
    _, images, labels = case.inputs()
    head = half.head
    assert head.prompt_learner.ctx.dtype == torch.float32
    assert head.text_features.dtype == torch.float32
    raw = torch.from_numpy(case.numbers['text_features'])
    expected = torch.nn.functional.normalize(raw, dim=-1).numpy()
    assert_close(head.text_features, expected, tolerance)
    loss = head.loss(half.backbone(images[:6]), labelled(labels[:6]))['loss']
    assert loss.dtype == torch.float32
    loss.backward()
    assert head.prompt_learner.ctx.grad.isfinite().all()
