"""The page: one HTML file that needs nothing else."""

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
    environment.filters['percent'] = lambda value: (
        f'{value:.1f}\N{NO-BREAK SPACE}%'
    )
    environment.filters['points'] = _points
    template = environment.from_string(TEMPLATE.read_text(encoding='utf-8'))
    return template.render(contents)


def _percent(value: float) -> str:
    return f'{value:.1f}\N{NO-BREAK SPACE}%'


def _points(value: float) -> str:
    value = round(value, 1)
    return f'{value:+.1f}'.replace('-', '−') if value else '0'
