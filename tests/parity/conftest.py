import pytest
from golden import write_golden_clip


@pytest.fixture(scope='session')
def golden_clip(tmp_path_factory) -> dict:
    """The `clip` of the reference model."""
    folder = tmp_path_factory.mktemp('golden')
    write_golden_clip(folder)
    return dict(name=f'local-dir:{folder}')
