"""The backbone for features that are there already."""

import pytest
import torch

from mmcoop.models import GivenFeatures


def test_passes_features_through():
    features = torch.rand(3, 5)
    (passed,) = GivenFeatures()(features)
    assert passed is features


def test_refuses_images():
    with pytest.raises(ValueError, match='without _cached'):
        GivenFeatures()(torch.rand(1, 3, 8, 8))
