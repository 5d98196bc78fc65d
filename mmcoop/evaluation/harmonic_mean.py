"""The harmonic mean of accuracies on base and new classes."""


def harmonic_mean(base: float, new: float) -> float:
    """Average so that the lower counts more.

    Args:
        base (float): Accuracy on the classes learned from, in percent.
        new (float): Accuracy on the others, in percent.

    Returns:
        float: In percent; 0 if both are 0.
    """
    return 2 * base * new / (base + new) if base + new else 0.0
