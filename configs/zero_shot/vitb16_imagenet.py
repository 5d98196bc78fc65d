"""Hand-written prompts, ViT-B/16, ImageNet.

    python tools/test.py configs/zero_shot/vitb16_imagenet.py

`--cfg-options model.head.template=imagenet_7` takes the ensemble of 7 that
CLIP's authors published, `openai_80` that of 80. Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/default_runtime.py',
]

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
