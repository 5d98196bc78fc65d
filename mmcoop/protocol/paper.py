"""Numbers of the paper, to stand beside measured ones.

Only those that could be read from a source are here; nothing of it was
measured with mmcoop.
"""

from .results import Cell

ZERO_SHOT, PROBE, COOP = 'zero-shot', 'linear probe', 'CoOp M=16'

# Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022;
# RN50; the three data sets with three values have one per seed.
PAPER_RN50 = (
    Cell(f'{ZERO_SHOT} (paper)', 'ImageNet', 'test', 0, (58.18,)),
    Cell(f'{PROBE} (paper)', 'ImageNet', 'test', 16, (55.87,)),
    Cell(f'{COOP} (paper)', 'ImageNet', 'test', 16, (62.95,)),
    Cell(f'{COOP} (paper)', 'DTD', 'test', 16, (62.53, 64.07, 64.13)),
    Cell(f'{COOP} (paper)', 'Flowers102', 'test', 16, (94.68, 94.44, 94.40)),
    Cell(f'{COOP} (paper)', 'Caltech101', 'test', 16, (91.81, 92.01, 92.17)),
)
