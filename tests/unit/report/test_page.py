"""The page's own colours."""

import re

import pytest

from mmcoop.report.page import TEMPLATE

STYLE = TEMPLATE.read_text(encoding='utf-8')
LIGHT, DARK = re.findall(r':root \{(.*?)\}', STYLE, re.DOTALL)
TEXTS = ['text', 'quiet', 'learned', 'written', 'good', 'bad']


def luminance(colour: str) -> float:
    """By the definition of WCAG 2."""
    values = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in values
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize('colours', [LIGHT, DARK], ids=['light', 'dark'])
@pytest.mark.parametrize('ground', ['card', 'ground'])
@pytest.mark.parametrize('text', TEXTS)
def test_text_can_be_read(colours, ground, text):
    colours = dict(re.findall(r'--(\w+): (#\w{6})', colours))
    pair = luminance(colours[text]), luminance(colours[ground])
    contrast = (max(pair) + 0.05) / (min(pair) + 0.05)
    assert contrast >= 4.5, 'the least that WCAG AA allows'
