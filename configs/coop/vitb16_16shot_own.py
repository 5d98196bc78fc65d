"""CoOp, ViT-B/16, 16 shots, M = 16, images of your own.

    DATA=photos python tools/train.py configs/coop/vitb16_16shot_own.py

DATA is a folder with a folder of images per class (or with `train` and
`test`, each such a folder), a CSV (path,label), or CoOp's split JSON. Ends
with the accuracy on the images put aside for testing.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/own.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]
