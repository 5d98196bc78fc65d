"""Settings for all tests: no network, few threads, nothing left behind."""

import os

# Before anything is imported that reads them: a test that needs a file that
# is not there fails at once instead of asking a hub for it.
os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_OFFLINE'] = '1'
# Also for the commands that tests start. pytest-xdist has a worker per core:
# more threads would only wait for each other.
os.environ['OMP_NUM_THREADS'] = '1'

from uuid import uuid4

import pytest
import torch
from mmengine.logging import MessageHub

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def message_hub() -> MessageHub:
    """Give each test an empty hub: heads find their class names there."""
    return MessageHub.get_instance(f'test-{uuid4()}')
