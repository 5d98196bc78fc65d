"""Classify with a learned prompt (CoOp)."""

from collections.abc import Sequence

from torch import Tensor

from mmcoop.registry import MODELS

from .clip_head import CLIPHead


@MODELS.register_module()
class CoOpHead(CLIPHead):
    """Compare images with learned prompts.

    Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022.
    The one trainable tensor is ``prompt_learner.ctx``; it is also all that a
    state dict holds.

    Args:
        clip (dict): See :class:`CLIPVision`.
        class_names (str | Sequence[str] | dict, optional): See
            :class:`CLIPHead`. Defaults to None.
        prompt_learner (dict): Config of a :class:`PromptLearner`.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            mmpretrain's ``ClsHead``.
    """

    def __init__(
        self,
        clip: dict,
        class_names: str | Sequence[str] | dict | None = None,
        prompt_learner: dict | None = None,
        **kwargs,
    ):
        super().__init__(clip, class_names, **kwargs)
        prompt_learner = dict(prompt_learner or {})
        prompt_learner.setdefault('type', 'mmcoop.PromptLearner')
        self.prompt_learner = MODELS.build(
            dict(
                prompt_learner,
                text_encoder=self.text_encoder,
                class_names=self.class_names,
            )
        )

    def encode_text(self) -> Tensor:
        """Encode the prompts around the current context.

        Returns:
            Tensor: (K, E), before normalisation.
        """
        self._require_class_names()
        learner, encoder = self.prompt_learner, self.text_encoder
        build = learner.forward if encoder.plain_because else learner.packed
        return encoder(build(encoder), learner.layout)

    def _use_class_names(self, class_names: Sequence[str]) -> None:
        self.prompt_learner.set_class_names(class_names, self.text_encoder)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, *args
    ) -> None:
        names = local_metadata.get('class_names')
        if (
            self.prompt_learner.class_specific
            and names
            and tuple(names) != self.class_names
        ):
            differing = [
                f'; first {was!r}, not {now!r}'
                for was, now in zip(names, self.class_names, strict=False)
                if was != now
            ]
            which = differing[0] if differing else ''
            raise ValueError(
                f'class_names has {len(self.class_names)} entries, and the '
                "checkpoint's class-specific context was learned for "
                f'{len(names)}{which}: CSC contexts belong to the classes '
                'they were learned for. Pass those names, or train a unified '
                'context.'
            )
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, *args
        )
