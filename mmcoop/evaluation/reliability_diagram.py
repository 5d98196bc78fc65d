"""Draw accuracy against confidence."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .calibration_error import Bins

# Told apart also without colours, with a legend of their own.
COLOUR, GAP, INK = '#0072B2', '#D55E00', '#333333'


def draw_reliability(panels: dict[str, Bins]) -> Figure:
    """Draw a panel for each set of bins, beside each other.

    Args:
        panels (dict[str, Bins]): What is in the bins, by title.

    Returns:
        Figure: Bars of accuracy with their distance to the mean confidence,
        and below how many images there are.
    """
    figure = Figure(figsize=(4 * len(panels), 4.6), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        2,
        len(panels),
        squeeze=False,
        sharex=True,
        sharey='row',
        height_ratios=(3, 1),
    )
    for column, (title, bins) in enumerate(panels.items()):
        _draw_panel(*axes[:, column], title, bins)
    axes[0, 0].set_ylabel('accuracy')
    axes[1, 0].set_ylabel('images')
    axes[0, 0].legend(loc='upper left', frameon=False, fontsize='small')
    return figure


def _draw_panel(upper, lower, title: str, bins: Bins) -> None:
    width = 1 / len(bins.counts)
    filled = bins.counts > 0
    middle = (width * (filled.nonzero()[:, 0] + 0.5)).tolist()
    accuracy = bins.accuracy[filled]
    gap = bins.confidence[filled] - accuracy
    upper.bar(middle, accuracy.tolist(), 0.9 * width, color=COLOUR)
    upper.bar(
        middle,
        gap.tolist(),
        0.9 * width,
        bottom=accuracy.tolist(),
        color='none',
        edgecolor=GAP,
        hatch='///',
        label='distance to confidence',
    )
    upper.plot([0, 1], [0, 1], '--', color=INK, label='as sure as right')
    upper.set(title=title, xlim=(0, 1), ylim=(0, 1))
    counts = bins.counts[filled].tolist()
    lower.bar(middle, counts, 0.9 * width, color=COLOUR)
    lower.set_xlabel('confidence')
