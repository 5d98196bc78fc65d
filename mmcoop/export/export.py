"""Write a classifier in one of the forms."""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmcoop.apis import Classifier
from mmcoop.engine import CommandError

from .fixed_classifier import fix
from .linear import write_linear
from .onnx_file import write_onnx
from .output import check_targets, require, written_whole
from .program import write_program
from .text_features import write_text_features
from .verify import Verifier

# From a form to what its files end in; the first is what --out names
FORMATS = dict(
    linear=('.pth', '.py'),
    onnx=('.onnx',),
    pt2=('.pt2',),
    safetensors=('.safetensors', '.json'),
)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files (tuple[Path]): All of them.
        difference (float): The largest of a score, in 0..1, to PyTorch.
        num_images (int): On so many images.
        note (str): What the files need; empty where they need nothing.
    """

    files: tuple[Path, ...]
    difference: float
    num_images: int
    note: str = ''


def check_export(
    to: str,
    out: str | os.PathLike,
    sources: Sequence[str | os.PathLike] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Refuse what cannot be written, before anything is loaded.

    Args:
        to (str): A form, one of ``FORMATS``.
        out (str | os.PathLike): The file to write.
        sources (Sequence): Files that must not be overwritten.
        overwrite (bool): Whether others may be. Defaults to False.

    Returns:
        list[Path]: All files to write.

    Raises:
        CommandError: If it cannot be written, or a package is missing.
    """
    if to not in FORMATS:
        raise CommandError(
            f'{to!r} is no form to export to: choose one of '
            f'{", ".join(FORMATS)}.'
        )
    out = Path(out).expanduser()
    suffix = FORMATS[to][0]
    if out.is_dir():
        raise CommandError(
            f'--out {out} is a folder: give a file in it, like '
            f'{out / ("classifier" + suffix)}.'
        )
    if out.suffix != suffix:
        raise CommandError(
            f'--out {out} does not end in {suffix}, as files of {to} do: '
            f'give --out {out.with_suffix(suffix)}.'
        )
    targets = [out.with_suffix(suffix) for suffix in FORMATS[to]]
    check_targets(targets, [Path(path) for path in sources], overwrite)
    if to == 'onnx':
        require('--to onnx', 'onnx', 'onnxruntime', 'onnxscript')
    return targets


def export(
    classifier: Classifier,
    to: str,
    out: str | os.PathLike,
    overwrite: bool = False,
    test_data: bool = True,
) -> Exported:
    """Write a classifier, and compare what was written with it.

    Args:
        classifier (Classifier): What `mmcoop.load` or ``with_classes`` gives.
        to (str): 'linear': a checkpoint and, beside it, a config of
            mmpretrain; 'onnx'; 'pt2': a program of ``torch.export``;
            'safetensors': the text features, with a JSON file beside.
        out (str | os.PathLike): The file to write; its folder is made if
            need be.
        overwrite (bool): Whether files may be there already. Defaults to
            False.
        test_data (bool): Whether the test data that it was trained with are
            of its classes, for 'linear' to keep them. Defaults to True.

    Returns:
        Exported: What was written.

    Raises:
        CommandError: If it cannot be written, or a package is missing.
        ExportError: If what was written gives other scores. Nothing stays.
        ValueError: If the image tower cannot be set apart.
    """
    targets = check_export(to, out, overwrite=overwrite)
    classifier = _in_float32(classifier)
    fixed = fix(classifier)
    verifier = Verifier(classifier)
    note = ''
    with written_whole(targets) as paths:
        if to == 'linear':
            difference, note = write_linear(fixed, verifier, *paths, test_data)
        elif to == 'onnx':
            difference = write_onnx(fixed, verifier, *paths)
        elif to == 'pt2':
            difference = write_program(fixed, verifier, *paths)
        else:
            difference = write_text_features(fixed, verifier, *paths)
    num_images = len(verifier.images)
    return Exported(tuple(targets), difference, num_images, note)


def _in_float32(classifier: Classifier) -> Classifier:
    """Leave the rounding of half precision to those who run the export."""
    if classifier.model.backbone.clip.get('precision', 'fp32') == 'fp32':
        return classifier
    return Classifier(
        copy.deepcopy(classifier.model).float(),
        classifier.pipeline,
        classifier.cfg,
        rejection=classifier.rejection,
        temperature=classifier.temperature,
    )
