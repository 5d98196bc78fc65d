"""Look at what was learned, in the browser.

    python tools/demo_app.py CHECKPOINT [--port 7860]

Needs Gradio: pip install 'mmcoop[app]'. The page asks nobody for anything,
so it works without a network, and listens to this machine alone unless
--host says otherwise.
"""

import argparse
import logging
import socket
import sys
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mmcoop
from mmcoop.apis.loading import LOAD_ERRORS

EXTRA = "the page needs Gradio: pip install 'mmcoop[app]'"


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Show a page.')
    parser.add_argument('checkpoint', help='what was learned')
    parser.add_argument(
        '--config', help="use this config, not the checkpoint's own"
    )
    parser.add_argument('--device', help='cpu, cuda:0, …; by default a GPU')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; 0.0.0.0 lets others in',
    )
    parser.add_argument('--port', type=int, default=7860)
    parser.add_argument(
        '--max-train-images',
        type=int,
        default=2000,
        metavar='N',
        help='look for the nearest among so many training images; 0: none',
    )
    return parser.parse_args()


def check_port(host: str, port: int) -> None:
    """Refuse a port that cannot be had, before the work.

    Raises:
        ValueError: If it is in use, or no port.
    """
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        raise ValueError(
            f'port {port} of {host} cannot be used ({error}): choose another '
            'with --port.'
        ) from error


def look_at_training_images(
    classifier: mmcoop.Classifier, args: argparse.Namespace
) -> tuple:
    """Encode the training images, or say why not."""
    from mmcoop.app import TrainingImages

    if args.max_train_images < 1:
        return None, 'left out by --max-train-images.'
    try:
        trusted = args.config is not None
        return TrainingImages(classifier, trusted, args.max_train_images), ''
    # The page is as good without: they may be on another machine.
    except (OSError, ValueError) as error:
        return None, str(error)


def main() -> None:
    """Show the page until Ctrl-C."""
    args = parse_args()
    try:
        try:
            from mmcoop.app.page import build_page, serve
        except ModuleNotFoundError as error:
            if error.name != 'gradio':
                raise
            raise ValueError(EXTRA) from error
        from mmcoop.app import Comparison

        check_port(args.host, args.port)
        classifier = mmcoop.load(args.checkpoint, args.config, args.device)
        images, without = look_at_training_images(classifier, args)
        page = build_page(Comparison(classifier), images, without)
    except LOAD_ERRORS as error:
        sys.exit(f'demo_app.py: error: {error}')
    # Its client asks for each file by a line of its own.
    logging.getLogger('httpx').setLevel(logging.WARNING)
    print(f'http://{args.host}:{args.port}  (Ctrl-C ends it)', flush=True)
    serve(page, args.host, args.port)


if __name__ == '__main__':
    main()
