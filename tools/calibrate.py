"""Measure on held-out images when to answer 'none of these'.

    python tools/calibrate.py CHECKPOINT [--true-accept-rate 0.95]
        [--temperature-scaling] [--out FILE]

Writes a checkpoint beside CHECKPOINT, with `_calibrated` at the end of its
name, that `mmcoop.load` and tools/predict.py answer 'none of these' with.
Images are held out if nothing was learned from them: those that the config
validates with, else tests with, or those in --images.
"""

import argparse
import os
import pickle
import sys
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mmcoop
from mmcoop.apis.calibrate import (
    answers_to,
    draw_confidence,
    measure_confidence,
    measure_rejection,
    store_in_checkpoint,
)
from mmcoop.apis.held_out import (
    check_not_learned_from,
    held_out_in_folder,
    held_out_of_config,
)
from mmcoop.evaluation.rejection import (
    SCORES,
    check_score,
    check_true_accept_rate,
)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Calibrate a checkpoint.')
    parser.add_argument('checkpoint', help='what was learned')
    parser.add_argument(
        '--config', help="use this instead of the checkpoint's own"
    )
    parser.add_argument(
        '--images',
        metavar='FOLDER',
        help='held-out images, in folders named by class if labelled',
    )
    parser.add_argument(
        '--true-accept-rate',
        type=float,
        default=0.95,
        help='share of known images to accept (0.95)',
    )
    parser.add_argument(
        '--score',
        choices=SCORES,
        default='mcm',
        help='maximum concept matching, or energy (mcm)',
    )
    parser.add_argument(
        '--score-temperature',
        type=float,
        help='of the score; without it 1 for mcm, and for energy that of '
        "the CLIP's logits",
    )
    parser.add_argument(
        '--temperature-scaling',
        action='store_true',
        help='also let probabilities say how often the answer is right',
    )
    parser.add_argument(
        '--diagram',
        metavar='FILE.png',
        help='draw accuracy against confidence; needs --temperature-scaling',
    )
    parser.add_argument(
        '--out', metavar='FILE', help='else CHECKPOINT_calibrated.pth'
    )
    args = parser.parse_args(argv)
    if args.diagram is not None and not args.temperature_scaling:
        parser.error('--diagram needs --temperature-scaling')
    if args.out is None:
        stem, ending = os.path.splitext(args.checkpoint)
        args.out = f'{stem}_calibrated{ending}'
    return args


def check(args: argparse.Namespace) -> None:
    """Refuse now what would fail after all images have been read.

    Raises:
        FileNotFoundError: If there is no folder for a result.
        ValueError: If a number is out of range.
    """
    check_true_accept_rate(args.true_accept_rate)
    if args.score_temperature is not None:
        check_score(args.score, args.score_temperature)
    for path in (args.out, args.diagram):
        folder = Path(path or '.').absolute().parent
        if not folder.is_dir():
            raise FileNotFoundError(
                f'there is no folder {folder} to write {path} to: make it, '
                'or give another place.'
            )


def calibrate(args: argparse.Namespace) -> None:
    """Measure, say what was found, and write."""
    classifier = mmcoop.load(args.checkpoint, args.config)
    names = classifier.class_names
    trusted = args.config is not None
    if args.images is not None:
        held_out = held_out_in_folder(args.images, names)
    else:
        held_out = held_out_of_config(classifier.cfg, len(names), trusted)
    check_not_learned_from(held_out, classifier.cfg, trusted)
    answers = answers_to(classifier, held_out)
    temperature = args.score_temperature
    if temperature is None:
        scale = classifier.model.head.text_encoder.logit_scale
        temperature = 1.0 if args.score == 'mcm' else float((-scale).exp())
    rejection = measure_rejection(
        answers, args.score, temperature, args.true_accept_rate
    )
    measured = dict(rejection=rejection)
    print(
        f'threshold {rejection["threshold"]:.9g} of {args.score} at '
        f'temperature {temperature:.4g}: {args.true_accept_rate:.1%} of '
        f'{len(answers.labels)} held-out images are accepted'
    )
    if args.temperature_scaling:
        found = measure_confidence(answers)
        measured['calibration'] = found
        print(
            f'temperature {found["temperature"]:.4g} of the probabilities: '
            'the expected calibration error on these images goes from '
            f'{found["ece_before"]:.1%} to {found["ece_after"]:.1%}'
        )
    store_in_checkpoint(args.checkpoint, args.out, measured)
    print(f'written: {args.out}')
    if args.diagram is not None:
        draw_confidence(answers, found['temperature']).savefig(args.diagram)
        print(f'written: {args.diagram}')


def main(argv: list[str] | None = None) -> None:
    """Calibrate, or say why that cannot be."""
    args = parse_args(argv)
    try:
        check(args)
        calibrate(args)
    except (OSError, RuntimeError, ValueError, pickle.PickleError) as error:
        sys.exit(f'calibrate.py: error: {error}')


if __name__ == '__main__':
    main()
