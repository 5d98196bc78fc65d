"""What a classifier says about one image."""

from dataclasses import dataclass

# The name of what is rejected; see `mmcoop.evaluation`.
NONE_OF_THESE = 'none of these'


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about one image, or why it says nothing.

    Attributes:
        source (str): The image's path; for an image without one, its
            position in what was given, like 'image 3', counted from 0.
        name (str, optional): The class, or 'none of these'.
        score (float, optional): Its probability, that of the most similar
            class where ``name`` is 'none of these'.
        label (int, optional): Its place in the class names, from 0 on; None
            for 'none of these'.
        names (tuple[str]): The top k classes, most probable first.
        scores (tuple[float]): Their probabilities.
        rejected (bool): Whether ``name`` is 'none of these'.
        error (str, optional): Why there is no answer; then all but
            ``source`` is empty.
    """

    source: str
    name: str | None = None
    score: float | None = None
    label: int | None = None
    names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    rejected: bool = False
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f'{self.source}: error: {self.error}'
        top = zip(self.names, self.scores, strict=True)
        listed = ', '.join(f'{name} {score:.1%}' for name, score in top)
        if self.rejected:
            listed = f'{self.name} (nearest: {listed})'
        return f'{self.source}: {listed}'
