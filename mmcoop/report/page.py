"""The page: one HTML file that needs nothing else."""

import os
import tempfile
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

TEMPLATE = Path(__file__).with_name('page.html')


def render(contents: dict[str, Any]) -> str:
    """Make the page.

    Args:
        contents (dict): What the template names. Texts are escaped: class
            names and paths are other people's.

    Returns:
        str: HTML.
    """
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['percent'] = lambda value: f'{value:.1f} %'
    environment.filters['points'] = _points
    template = environment.from_string(TEMPLATE.read_text(encoding='utf-8'))
    return template.render(contents)


def write(page: str, path: Path) -> None:
    """Write a file, all of it or nothing.

    Args:
        page (str): What goes into it.
        path (Path): What is there is replaced.
    """
    # A path may hold bytes that are no text; the page shows a mark for them.
    content = page.encode('utf-8', errors='replace')
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=path.name, delete=False
    ) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # Temporary files are for their owner alone.
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _points(value: float) -> str:
    return f'{value:+.1f}'.replace('-', '−')
