"""Image features that were computed once, as a data set."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import force_full_init
from mmengine.logging import MessageHub, print_log
from mmpretrain.structures import DataSample
from torch.utils.data import get_worker_info

from mmcoop.registry import DATASETS, MODELS

from .feature_file import UnusableFeaturesError, open_features, read_header
from .feature_origin import (
    fingerprint_contents,
    fingerprint_names,
    fingerprint_weights,
    first_difference,
    pipelines_of,
    plain,
)
from .seeded_samples import SampleIndex
from .wrapper import Wrapper


@DATASETS.register_module()
class CachedFeatures(Wrapper):
    """The features of a data set's images, in place of the images.

    ``tools/cache_features.py`` computes them. They are used only if weights,
    preprocessing, pipeline, seed and images are those that they were
    computed from, and no byte of them has changed; so the images must still
    be there, but are not read.

    In epoch e of training every image shows its view ``e % num_views``. Views
    of different images have nothing in common, so that is as random as
    drawing them, reproducible, and goes over all views equally often. The
    training loop has to go by epochs.

    Args:
        path (str): Where they are: ``PATH.npy`` and ``PATH.json``.
        dataset (dict): Config of the data set of images.
        image_model (dict): ``data_preprocessor`` and ``backbone`` as a model
            that sees the images has them.
        num_views (int): V, how many views to use; there may be more.
        seed (int): Of the views' augmentation.
        lazy_init (bool): Whether to look for the features on first use only.

    Raises:
        UnusableFeaturesError: If the features are missing or damaged, or
            belong to something else.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        path: str,
        dataset: dict,
        image_model: dict,
        num_views: int = 1,
        seed: int = 1,
        lazy_init: bool = False,
    ) -> None:
        if num_views < 1:
            raise ValueError(
                f'num_views is {num_views}: give the number of views per '
                'image, at least 1.'
            )
        self.path = Path(path).expanduser()
        self.image_model = image_model
        self.num_views = num_views
        self.seed = seed
        self._pipelines = pipelines_of(dataset)
        self.dataset = DATASETS.build(dataset)
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """List the images and open their features."""
        if self._fully_initialized:
            return
        backbone = json.dumps(plain(self.image_model['backbone']))
        try:
            self.open(_weights_of(backbone))
        except UnusableFeaturesError as error:
            raise UnusableFeaturesError(
                f'The kept features {self.path} cannot be used: {error}. '
                'Compute them with the config of this run, and with its '
                '--cfg-options if it has any:\n'
                '    python tools/cache_features.py CONFIG'
            ) from error

    def open(self, weights: str) -> None:
        """Open the features, if they are those of these weights.

        Args:
            weights (str): Checksum of the image tower, see
                :func:`fingerprint_weights`.

        Raises:
            UnusableFeaturesError: If they cannot be used.
        """
        header = read_header(self.path)
        self._check(header, self.origin(weights))
        self._features = open_features(self.path, header)
        print_log(
            f'{self.path}: features of {len(self.dataset)} images, '
            f'{self.num_views} of {header["shape"][0]} views.',
            logger='current',
        )
        self._fully_initialized = True

    def origin(self, weights: str) -> dict[str, Any]:
        """Describe what the features must have been computed from.

        Args:
            weights (str): Checksum of the image tower.

        Returns:
            dict: As JSON has it, without the images' contents.
        """
        return plain(
            dict(
                weights=weights,
                data_preprocessor=self.image_model['data_preprocessor'],
                pipeline=self._pipelines,
                seed=self.seed,
                images=dict(
                    number=len(self.dataset),
                    names=fingerprint_names(self._infos()),
                ),
            )
        )

    def contents(self) -> str:
        """Read all images.

        Returns:
            str: Checksum of what is in them.
        """
        return fingerprint_contents(self._infos())

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Get what is known of an image.

        Args:
            idx (int): Which image.

        Returns:
            dict: The entry of the data set of images.
        """
        return self.dataset.get_data_info(idx)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the label of an image, as a list of one.

        Args:
            idx (int): Which image.

        Returns:
            list[int]: The label.
        """
        return [int(self.dataset.get_data_info(idx)['gt_label'])]

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        """Get the features of an image.

        Args:
            idx (int): Which image.

        Returns:
            dict: ``inputs``, a tensor (E,) before normalisation, in the
            image tower's type; and ``data_samples`` with the label.
        """
        row = self._features[self._view(idx), idx]
        info = self.dataset.get_data_info(idx)
        sample = DataSample().set_gt_label(info['gt_label'])
        known = ('img_path', 'sample_idx')
        sample.set_metainfo({k: info[k] for k in known if k in info})
        # A copy: torch wants memory that can be written to.
        inputs = torch.from_numpy(row.copy())
        return dict(inputs=inputs, data_samples=sample)

    def _view(self, idx: int) -> int:
        if isinstance(idx, SampleIndex):
            return idx.epoch % self.num_views
        if self.num_views == 1:
            return 0
        if get_worker_info() is not None:
            raise RuntimeError(
                'CachedFeatures with several views runs in a worker of the '
                'data loader, which does not know the epoch: set '
                "sampler=dict(type='mmcoop.EpochSampler', shuffle=True), "
                'which tells it, or num_workers=0.'
            )
        epoch = MessageHub.get_current_instance().get_info('epoch', 0)
        return epoch % self.num_views

    def _infos(self) -> Iterator[dict]:
        return map(self.dataset.get_data_info, range(len(self.dataset)))

    def _check(self, header: dict, now: dict) -> None:
        """Raise unless the features are what they should be."""
        kept = header['origin']
        if kept['images'].get('names') != now['images']['names']:
            self._check_images(kept['images'])
        differences = [
            first_difference(kept.get(key), now[key], key)
            for key in now
            if key != 'images'
        ]
        num_views = header['shape'][0]
        if num_views < self.num_views:
            differences.append(
                f'it has {num_views} views, but num_views is {self.num_views}'
            )
        differences = [text for text in differences if text]
        if differences:
            raise UnusableFeaturesError(
                'they belong to something else: ' + '; '.join(differences)
            )

    def _check_images(self, kept: dict) -> None:
        """Accept images that were only moved, copied or unpacked again."""
        number = len(self.dataset)
        if kept['number'] != number:
            raise UnusableFeaturesError(
                'they belong to something else: there were '
                f'{kept["number"]} images, there are {number}'
            )
        print_log(
            f'{self.path}: paths or times of the images have changed since '
            f'their features were computed; reading {number} images to see '
            'whether they are the same.',
            logger='current',
        )
        if kept.get('contents') != self.contents():
            raise UnusableFeaturesError(
                'they belong to something else: images, their labels or '
                'their order have changed'
            )


@functools.cache
def _weights_of(backbone: str) -> str:
    """Load an image tower for its checksum, once in a process.

    The text tower of the same CLIP shares the load, see `CLIPVision`.
    """
    return fingerprint_weights(MODELS.build(json.loads(backbone)))
