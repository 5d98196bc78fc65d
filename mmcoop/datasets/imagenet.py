"""mmpretrain's ImageNet, and how to get it if it is not there."""

import os

from mmpretrain.datasets import ImageNet as MMPretrainImageNet

from mmcoop.registry import DATASETS

from .subsets import CopiedSubsets


@DATASETS.register_module()
class ImageNet(CopiedSubsets, MMPretrainImageNet):
    """ImageNet (ILSVRC 2012), read by mmpretrain, from ``data_root``::

        data_root/train/n01440764/n01440764_10026.JPEG
        data_root/val/n01440764/ILSVRC2012_val_00000293.JPEG

    or with all files of a split in one folder and the labels in
    ``data_root/meta/train.txt`` and ``val.txt``. All arguments are those of
    mmpretrain's class.
    """

    def load_data_list(self) -> list[dict]:
        """List the images of the split.

        Returns:
            list[dict]: One dict per image, ``img_path`` and ``gt_label``.

        Raises:
            FileNotFoundError: If the folder or the annotation file is
                missing.
        """
        try:
            return super().load_data_list()
        except FileNotFoundError as error:
            missing = error.filename or self.img_prefix
            raise FileNotFoundError(
                f'ImageNet is not at data_root={self.data_root!r}: '
                f'{os.path.abspath(missing)} does not exist. '
                'ImageNet cannot be downloaded automatically: register at '
                'https://www.image-net.org, download the training and '
                'validation images of ILSVRC 2012, unpack them as '
                'data_root/train/CLASS/IMAGE.JPEG and '
                'data_root/val/CLASS/IMAGE.JPEG with the 1000 folder names '
                'like n01440764, and set data_root in the config to that '
                'folder.'
            ) from error
