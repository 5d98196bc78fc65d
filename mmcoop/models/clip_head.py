"""What heads that compare images with text features have in common."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub, print_log
from mmpretrain.models.heads import ClsHead
from torch import Tensor

from .class_names import check_class_names, resolve_class_names
from .clip import text_encoder


class CLIPHead(ClsHead):
    """Classify by cosine similarity with one text feature per class.

    ``logits = exp(logit_scale) * cos(image_features, text_features)``, in
    float32 whatever the towers' precision.

    Text features are computed once per training step, and once per
    evaluation: in eval mode they are kept until :meth:`train` is called, the
    names change, or a checkpoint is loaded.

    Args:
        clip (dict): See :class:`CLIPVision`.
        class_names (str | Sequence[str] | dict, optional): Names in label
            order; 'imagenet' or another known set; a text file, one name a
            line; or the config of a data set. None: from the data set that
            is trained on, or the checkpoint that is loaded. Defaults to
            None.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            mmpretrain's ``ClsHead``.
    """

    # Of the state dict; `local_metadata` carries it.
    _version = 1

    def __init__(
        self,
        clip: dict,
        class_names: str | Sequence[str] | dict | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.text_encoder = text_encoder(clip)
        self.class_names: tuple[str, ...] | None = None
        if class_names is not None:
            self.class_names = resolve_class_names(class_names)
        self._kept: Tensor | None = None
        self._kept_of: tuple | None = None
        self._compared_with_data = False
        # mmengine collects state with a recursion of its own, which honours
        # this hook and no overridden `state_dict`.
        self._register_state_dict_hook(_note_what_it_belongs_to)

    @abstractmethod
    def encode_text(self) -> Tensor:
        """Compute the text features.

        Returns:
            Tensor: (K, E), in the tower's dtype, of any length.
        """

    @abstractmethod
    def _use_class_names(self, class_names: Sequence[str]) -> None:
        """Prepare for (other) class names."""

    def set_class_names(self, class_names: Sequence[str]) -> None:
        """Classify into these names from now on.

        Args:
            class_names (Sequence[str]): K names, in label order.

        Raises:
            ValueError: If a name is empty, occurs twice or is too long.
        """
        class_names = check_class_names(class_names)
        self._use_class_names(class_names)
        self.class_names = class_names
        self._kept = None

    @property
    def text_features(self) -> Tensor:
        """(K, E) float32, L2-normalised; one row per class."""
        self._require_class_names()
        if self.training or (
            torch.is_grad_enabled()
            and any(p.requires_grad for p in self.parameters())
        ):
            return self._normalised_text()
        state = self._state_of_text()
        if self._kept is None or self._kept_of != state:
            self._kept = self._normalised_text().detach()
            self._kept_of = state
        return self._kept

    def pre_logits(self, feats: tuple[Tensor]) -> Tensor:
        """Normalise the image features.

        Args:
            feats (tuple[Tensor]): What the backbone gives; the last is
                (N, E).

        Returns:
            Tensor: (N, E) float32, L2-normalised.
        """
        return F.normalize(feats[-1].float(), dim=-1)

    def forward(self, feats: tuple[Tensor]) -> Tensor:
        """Compare images with all classes.

        Args:
            feats (tuple[Tensor]): See :meth:`pre_logits`.

        Returns:
            Tensor: (N, K) float32 logits.
        """
        image_features = self.pre_logits(feats)
        text_features = self.text_features
        if image_features.shape[-1] != text_features.shape[-1]:
            raise ValueError(
                f'the backbone gives features of {image_features.shape[-1]} '
                f'numbers, but {self.text_encoder.name} compares '
                f'{text_features.shape[-1]}: give backbone and head the same '
                '`clip`.'
            )
        # Half precision would round logits of up to 100 to steps of 1/16.
        with torch.autocast(image_features.device.type, enabled=False):
            logits = image_features @ text_features.T
            logits = self.text_encoder.logit_scale.float().exp() * logits
            bias = self.text_encoder.logit_bias
            return logits if bias is None else logits + bias.float()

    def loss(
        self, feats: tuple[Tensor], data_samples: list, **kwargs
    ) -> dict[str, Tensor]:
        """Compare logits with labels; see mmpretrain's ``ClsHead.loss``.

        Raises:
            ValueError: If the data's classes are not the head's, or a label
                has no name.
        """
        if not self._compared_with_data:
            self._compare_with_data()
            self._compared_with_data = True
        logits = self(feats)
        _check_labels(data_samples, logits.shape[1])
        return self._get_loss(logits, data_samples, **kwargs)

    def _get_predictions(
        self, cls_score: Tensor, data_samples: list | None
    ) -> list:
        """Add the cosine similarities, which rejection looks at."""
        samples = super()._get_predictions(cls_score, data_samples)
        encoder = self.text_encoder
        bias = encoder.logit_bias
        if bias is not None:
            cls_score = cls_score - bias.float()
        cosines = cls_score / encoder.logit_scale.float().exp()
        for sample, row in zip(samples, cosines, strict=True):
            sample.cosines = row
        return samples

    def train(self, mode: bool = True) -> 'CLIPHead':
        """Switch mode, and forget the text features of an evaluation."""
        self._kept = None
        return super().train(mode)

    def _normalised_text(self) -> Tensor:
        return F.normalize(self.encode_text().float(), dim=-1)

    def _state_of_text(self) -> tuple:
        """What kept text features depend on."""
        encoder = self.text_encoder
        return tuple((id(p), p._version) for p in self.parameters()) + (
            encoder.logit_scale.device,
            encoder.logit_scale.dtype,
        )

    def _require_class_names(self) -> None:
        if self.class_names is None:
            classes = _classes_of_training()
            if classes is None:
                raise ValueError(
                    'the head has no class names: set class_names to a list, '
                    'a text file, a known set or the config of a data set; '
                    'or load a checkpoint that mmcoop has saved, which '
                    'brings its own.'
                )
            self.set_class_names(classes)
            print_log(
                f'class_names: {len(classes)} from the data set, '
                f'{", ".join(classes[:5])}…',
                logger='current',
            )

    def _compare_with_data(self) -> None:
        self._require_class_names()
        classes = _classes_of_training()
        if classes is not None and len(classes) != len(self.class_names):
            raise ValueError(
                f'class_names has {len(self.class_names)} entries but the '
                f'training data has {len(classes)} classes '
                f'({", ".join(map(str, classes[:3]))}…): give one name per '
                'class, in label order, or leave class_names out to use the '
                "data set's own."
            )

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, *args
    ) -> None:
        learned_with = local_metadata.get('fingerprint')
        encoder = self.text_encoder
        if learned_with not in (None, '', encoder.fingerprint):
            raise ValueError(
                f'the checkpoint was learned with '
                f'{local_metadata.get("clip")}, whose text tower has other '
                f'weights than {encoder.name}: a context works only with the '
                'CLIP that it was learned with. Set `clip` to that one.'
            )
        names = local_metadata.get('class_names')
        if names and self.class_names is None:
            self.set_class_names(names)
        self._kept = None
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, *args
        )


def _note_what_it_belongs_to(
    head: CLIPHead, state_dict, prefix, local_metadata
) -> None:
    """Let a state dict carry the names and the CLIP it was learned with.

    As metadata, torch's place for what is no tensor: the state itself holds
    the context and nothing else.
    """
    local_metadata.update(
        class_names=list(head.class_names or ()),
        clip=head.text_encoder.name,
        fingerprint=head.text_encoder.fingerprint,
    )


def _classes_of_training() -> tuple[str, ...] | None:
    """Names of the data set that mmengine trains on now, if any."""
    meta = MessageHub.get_current_instance().get_info('dataset_meta', None)
    classes = (meta or {}).get('classes')
    return None if classes is None else tuple(classes)


def _check_labels(data_samples: list, num_classes: int) -> None:
    """Refuse labels that have no name.

    On the CPU alone: on a GPU the look would wait for it, and the comparison
    with the data set's classes has to do.
    """
    for sample in data_samples:
        label = sample.get('gt_label')
        if label is None or label.device.type != 'cpu':
            continue
        if label.numel() and not 0 <= int(label.max()) < num_classes:
            raise ValueError(
                f'label {int(label.max())} of {sample.get("img_path")} is '
                f'outside the {num_classes} class names (0 to '
                f'{num_classes - 1}): give a name for every label.'
            )
