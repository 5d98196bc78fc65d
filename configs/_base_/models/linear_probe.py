# OpenAI's weights were trained with QuickGELU: hence the model's name
clip = dict(name='ViT-B-16-quickgelu', pretrained='openai')

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        # CLIP's, times 255
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321375, 70.32316305],
        # images are loaded as BGR
        to_rgb=True,
    ),
    backbone=dict(type='mmcoop.CLIPVision', clip=clip),
    # on features that are not normalised, as in the paper
    head=dict(
        type='LinearClsHead',
        # of the joint space: 1024 for RN50, else 512
        in_channels=512,
        num_classes=1000,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
