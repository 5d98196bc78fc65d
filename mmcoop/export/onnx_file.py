"""A classifier as an ONNX file, for onnxruntime and others."""

from pathlib import Path

import torch

from mmcoop.engine import CommandError

from .fixed_classifier import FixedClassifier
from .program import INPUT, OUTPUTS, trace
from .verify import Verifier

# What a file of protobuf, which ONNX is, can hold
MAX_BYTES = 2**31 - 2**20


def write_onnx(
    fixed: FixedClassifier, verifier: Verifier, path: Path
) -> float:
    """Write a .onnx, and compare what onnxruntime computes with PyTorch.

    Args:
        fixed (FixedClassifier): What to export.
        verifier (Verifier): What to compare with.
        path (Path): To write.

    Returns:
        float: The largest difference of a score.

    Raises:
        CommandError: If the classifier is too large, or torch's exporter
            cannot write it, as that of 2.6 cannot.
        ExportError: If it computes something else.
    """
    # An extra; `mmcoop.export.export` has looked for them.
    import onnx
    import onnxruntime

    size = sum(p.nbytes for p in fixed.tower.parameters())
    if size > MAX_BYTES:
        raise CommandError(
            f'the image tower has {size / 2**30:.1f} GiB, and an ONNX file '
            'holds 2: use --to pt2.'
        )
    program = trace(fixed, verifier.images)
    try:
        exported = torch.onnx.export(
            program,
            dynamo=True,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        raise CommandError(
            f'torch {torch.__version__} cannot write this model as ONNX '
            f'({type(error).__name__}): use a newer torch, or --to pt2.'
        ) from error
    exported.save(str(path), external_data=False)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, fixed.metadata_strings())
    onnx.checker.check_model(model)
    onnx.save(model, path)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        str(path), options, providers=['CPUExecutionProvider']
    )
    return verifier.compare(
        path.name,
        lambda images: torch.from_numpy(
            session.run([OUTPUTS[0]], {INPUT: images.numpy()})[0]
        ),
    )
