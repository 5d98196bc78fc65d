"""Which words of the vocabulary a learned context is nearest to.

As in the paper's table: Euclidean distance to the word embeddings. The paper
warns that the words often make no sense, since the vectors are no words.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmcoop.models import TextEncoder

# (word, distance), nearest first
Words = list[tuple[str, float]]


def nearest_words(
    ctx: Tensor, text_encoder: TextEncoder, num_words: int = 5
) -> list[Words] | list[list[Words]]:
    """Find the nearest words of each context vector.

    Args:
        ctx (Tensor): (M, D), or (K, M, D) if class-specific.
        text_encoder (TextEncoder): The tower that it was learned with.
        num_words (int): How many.

    Returns:
        list: Of M lists of words; or of K such lists.

    Raises:
        ValueError: If the tower is of another width.
    """
    if ctx.dim() == 3:
        return [nearest_words(one, text_encoder, num_words) for one in ctx]
    embeddings = text_encoder.token_embedding.weight.detach().float()
    if ctx.shape[-1] != embeddings.shape[-1]:
        raise ValueError(
            f'the context has vectors of {ctx.shape[-1]} numbers, but '
            f'{text_encoder.name} has words of {embeddings.shape[-1]}: give '
            'the CLIP that the context was learned with.'
        )
    # Small towers leave rows of words that they never saw at zero.
    used = embeddings.abs().sum(dim=1).nonzero()[:, 0]
    # Exact: the faster way by a matrix product loses small distances.
    distances = torch.cdist(
        ctx.detach().float(),
        embeddings[used],
        compute_mode='donot_use_mm_for_euclid_dist',
    )
    nearest = distances.topk(min(num_words, len(used)), largest=False)
    words = _vocabulary(text_encoder)
    return [
        [
            (words(int(used[column])), round(float(distance), 4))
            for distance, column in zip(values, columns, strict=True)
        ]
        for values, columns in zip(*nearest, strict=True)
    ]


def to_markdown(words: list, class_names: Sequence[str] | None = None) -> str:
    """Write a table.

    Args:
        words (list): From :func:`nearest_words`.
        class_names (Sequence[str], optional): K names; for a class-specific
            context.

    Returns:
        str: A row per vector.
    """
    blocks = [words] if class_names is None else words
    names = [''] if class_names is None else class_names
    head = ['vector', 'nearest words (distance)']
    if class_names is not None:
        head.insert(0, 'class')
    lines = ['| ' + ' | '.join(head) + ' |', '|' + ' --- |' * len(head)]
    for name, block in zip(names, blocks, strict=True):
        for number, found in enumerate(block, start=1):
            cells = [str(number), _row(found)]
            if class_names is not None:
                cells.insert(0, name)
            lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def _row(found: Words) -> str:
    cells = [f'{word} ({distance:.4f})' for word, distance in found]
    return ', '.join(cells).replace('|', '\\|')


def _vocabulary(text_encoder: TextEncoder):
    """Give what turns a token id into text."""
    tokenizer = text_encoder.tokenizer
    if hasattr(tokenizer, 'decoder'):  # CLIP's own, ends words with a mark
        return lambda token: tokenizer.decoder[token].replace('</w>', '')
    return tokenizer.tokenizer.convert_ids_to_tokens  # Hugging Face's
