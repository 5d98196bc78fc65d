"""Settings for all tests: no network, few threads, nothing left behind."""

import gc
import os

# Before anything is imported that reads them: a test that needs a file that
# is not there fails at once instead of asking a hub for it.
os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_OFFLINE'] = '1'
# Also for the commands that tests start. pytest-xdist has a worker per core:
# more threads would only wait for each other.
os.environ['OMP_NUM_THREADS'] = '1'

from collections.abc import Iterator
from uuid import uuid4

import pytest
import torch
from mmengine.logging import MessageHub

torch.set_num_threads(1)


@pytest.fixture(scope='session', autouse=True)
def imports_are_no_garbage() -> Iterator[None]:
    """Leave what is imported out of garbage collection.

    mmengine collects garbage each time that it lists a data set, which takes
    longer than the listing if all of torch is looked through.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def message_hub() -> MessageHub:
    """Give each test an empty hub: heads find their class names there."""
    return MessageHub.get_instance(f'test-{uuid4()}')
