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
        type='mmcoop.CoOpHead',
        clip=clip,
        # None: the data set's own
        class_names=None,
        prompt_learner=dict(
            type='mmcoop.PromptLearner',
            # M, the paper's default
            num_context=16,
            # start from N(0, 0.02); or from words, like 'a photo of a'
            ctx_init=None,
            # True: vectors for every class (CSC), for fine-grained data sets
            # with many shots
            class_specific=False,
            # or 'middle', 'front'
            class_token_position='end',
        ),
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        # log the accuracy on the batches, for the curves of the run report
        cal_acc=True,
    ),
)
