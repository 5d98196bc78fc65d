"""Run the image tower once over all views of all images."""

import copy

import torch
from mmengine.dataset import default_collate
from mmengine.device import get_device
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from mmcoop.registry import MODELS

from .cached_features import CachedFeatures
from .feature_file import FeatureWriter, UnusableFeaturesError
from .feature_origin import fingerprint_weights
from .image_views import ImageViews


def keep_features(
    features: CachedFeatures, batch_size: int, num_workers: int = 0
) -> bool:
    """Compute features and write them, unless they are there already.

    Goes on where an earlier attempt ended. Batches are formed in the data
    set's order: with the batch size, device and number of threads of an
    evaluation, the features are those of that evaluation to the last bit.

    Args:
        features (CachedFeatures): What to compute, with ``lazy_init=True``.
        batch_size (int): Images at a time.
        num_workers (int): Processes that read and augment images.

    Returns:
        bool: Whether anything had to be computed.

    Raises:
        ValueError: If the images come in another form than the image tower
            was trained on.
    """
    # A copy, since the classifier fills in what is not given.
    cfg = copy.deepcopy(features.image_model)
    model = MODELS.build(dict(cfg, type='mmpretrain.ImageClassifier'))
    model = model.to(get_device()).eval()
    weights = fingerprint_weights(model.backbone)
    try:
        features.open(weights)
        return False
    except UnusableFeaturesError:
        pass
    origin = features.origin(weights)
    origin['images']['contents'] = features.contents()
    writer = FeatureWriter(
        features.path,
        origin,
        features.num_views,
        len(features.dataset),
        rows_per_block=batch_size,
    )
    views = ImageViews(features.dataset, features.num_views, features.seed)
    loader = DataLoader(
        Subset(views, range(writer.done, len(views))),
        batch_size,
        num_workers=num_workers,
        collate_fn=default_collate,
    )
    bar = tqdm(
        desc=str(features.path),
        initial=writer.done,
        total=len(views),
        unit='image',
    )
    with bar, torch.inference_mode():
        for batch in loader:
            images = model.data_preprocessor(batch)['inputs']
            rows = model.backbone(images)[-1].cpu()
            # numpy has no bfloat16, and float32 holds its values
            if rows.dtype == torch.bfloat16:
                rows = rows.float()
            writer.append(rows.numpy())
            bar.update(len(rows))
    writer.finish()
    features.open(weights)
    return True
