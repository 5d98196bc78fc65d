"""Classify with hand-written prompts."""

import string
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmcoop.registry import MODELS

from .clip import OPENAI_TEMPLATES, SIMPLE_TEMPLATES
from .clip_head import CLIPHead
from .prompt_layout import PromptLayout
from .text_encoder import TextEncoder, count_tokens, tokenize

HAND_WRITTEN = 'a photo of a {}.'
# The ensembles of Radford et al., "Learning Transferable Visual Models From
# Natural Language Supervision", 2021, as CLIP's authors published them.
ENSEMBLES = dict(imagenet_7=SIMPLE_TEMPLATES, openai_80=OPENAI_TEMPLATES)


@MODELS.register_module()
class ZeroShotHead(CLIPHead):
    """Compare images with hand-written prompts. Nothing is learned.

    Args:
        clip (dict): See :class:`CLIPVision`.
        class_names (str | Sequence[str] | dict, optional): See
            :class:`CLIPHead`. Defaults to None.
        template (str | Sequence[str]): 'a photo of a {}.', where ``{}`` is
            the class name; several make an ensemble, the normalised mean of
            their normalised features; 'imagenet_7' and 'openai_80' are the
            two that CLIP's authors published. Defaults to
            'a photo of a {}.'.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            mmpretrain's ``ClsHead``.

    Raises:
        ValueError: If a template has no ``{}``, or a prompt does not fit.
    """

    def __init__(
        self,
        clip: dict,
        class_names: str | Sequence[str] | dict | None = None,
        template: str | Sequence[str] = HAND_WRITTEN,
        **kwargs,
    ):
        super().__init__(clip, class_names, **kwargs)
        templates = (
            ENSEMBLES.get(template, [template])
            if isinstance(template, str)
            else template
        )
        self.templates = tuple(map(check_template, templates))
        if not self.templates:
            raise ValueError(
                "template is empty: give at least one, like 'a photo of a "
                "{}.'."
            )
        self.layouts = nn.ModuleList()
        if self.class_names is not None:
            self._use_class_names(self.class_names)

    def encode_text(self) -> Tensor:
        """Encode the prompts of all templates.

        Returns:
            Tensor: (K, E) float32, the mean over templates.
        """
        features = [
            _encode_normalised(self.text_encoder, layout)
            for layout in self.layouts
        ]
        return torch.stack(features).mean(dim=0)

    def loss(
        self, feats: tuple[Tensor], data_samples: list, **kwargs
    ) -> dict[str, Tensor]:
        """Refuse: there is nothing to train."""
        raise RuntimeError(
            'ZeroShotHead has nothing to train: evaluate it with '
            'tools/test.py, or train a mmcoop.CoOpHead.'
        )

    def _use_class_names(self, class_names: Sequence[str]) -> None:
        device = self.text_encoder.logit_scale.device
        self.layouts = nn.ModuleList(
            layout_of_words(self.text_encoder, template, class_names)
            for template in self.templates
        ).to(device)


def layout_of_words(
    encoder: TextEncoder, template: str, class_names: Sequence[str]
) -> PromptLayout:
    """Lay out hand-written prompts.

    Args:
        encoder (TextEncoder): Encodes them with ``encode_layout``.
        template (str): With ``{}`` where the class name goes.
        class_names (Sequence[str]): K names; underscores count as spaces.

    Returns:
        PromptLayout: On the CPU.
    """
    texts = [template.format(name.replace('_', ' ')) for name in class_names]
    # Sizes depend on the ids: they are real even where the model is not.
    with torch.device('cpu'):
        eos = torch.tensor(count_tokens(encoder, texts)) - 1
        return PromptLayout.of_words(tokenize(encoder, texts), eos)


def encode_written(
    encoder: TextEncoder, template: str, class_names: Sequence[str]
) -> Tensor:
    """Encode hand-written prompts beside a model that has learned one.

    Args:
        encoder (TextEncoder): That of the model.
        template (str): With ``{}`` where the class name goes.
        class_names (Sequence[str]): K names; underscores count as spaces.

    Returns:
        Tensor: (K, E) float32, L2-normalised.
    """
    layout = layout_of_words(encoder, template, class_names)
    return _encode_normalised(encoder, layout.to(encoder.logit_scale.device))


def _encode_normalised(encoder: TextEncoder, layout: PromptLayout) -> Tensor:
    # In half precision the least length to divide by would be zero
    return F.normalize(encoder.encode_layout(layout).float(), dim=-1)


def check_template(template: str) -> str:
    """Refuse what is no template.

    Args:
        template (str): With ``{}`` where the class name goes.

    Returns:
        str: The same.

    Raises:
        ValueError: If it has no ``{}``, or more.
    """
    try:
        fields = [f for _, f, _, _ in string.Formatter().parse(template)]
    except (ValueError, TypeError):
        fields = []
    if [f for f in fields if f is not None] != ['']:
        raise ValueError(
            f'the template is {template!r}: write {{}} once, where the class '
            "name goes, as in 'a photo of a {}.'."
        )
    return template
