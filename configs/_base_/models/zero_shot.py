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
    head=dict(
        type='mmcoop.ZeroShotHead',
        clip=clip,
        class_names='imagenet',
        # several make an ensemble; 'imagenet_7' and 'openai_80' are known
        template='a photo of a {}.',
    ),
)
