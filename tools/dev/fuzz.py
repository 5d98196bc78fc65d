"""Search for files that break the parsers of mmcoop.

    python tools/dev/fuzz.py [TARGET …] [--seconds 3600] [--seed 1]
                             [--corpus FOLDER]

Each parser is run on mutated files, guided by the code that they reach
(atheris, which is libFuzzer). A file has to give a result or one of the
errors that the parser documents, within 20 s and 4 GiB: the first that does
not is written to CORPUS/TARGET-crash-…, and the exit status is 1. The time
is shared out evenly. tests/unit/test_fuzzing.py runs the same targets for a
moment, without atheris.
"""

import argparse
import contextlib
import io
import json
import logging
import pickle
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

try:
    import atheris

    instrumentation = atheris.instrument_imports(include=['mmcoop'])
except ImportError:
    atheris = None
    instrumentation = contextlib.nullcontext()

with instrumentation:
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer, MMLogger
    from PIL import Image

    from mmcoop.apis.checkpoint_config import (
        ConfigTextError,
        check_types,
        parse_config,
    )
    from mmcoop.datasets import (
        COOP_DATASETS,
        CoOpSplit,
        LoadImageFromFile,
        OwnImages,
        UnusableFeaturesError,
    )
    from mmcoop.datasets.coop_splits import read_split
    from mmcoop.datasets.feature_file import (
        FeatureWriter,
        open_features,
        read_header,
    )
    from mmcoop.models.class_names import resolve_class_names
    from mmcoop.protocol.official_checkpoint import (
        load_context,
        our_checkpoint,
    )
    from mmcoop.protocol.results import read_results

# Between two files that a parser reads together
BETWEEN = b'\n=====\n'
MAX_BYTES = 4096


@dataclass(frozen=True)
class Target:
    """A parser to fuzz.

    Attributes:
        parse (Callable): Called with a folder of its own, and the content
            of a file.
        errors (tuple[type]): Those that it documents.
        seeds (Callable): Gives contents to start from.
    """

    parse: Callable[[Path, bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[Path], list[bytes]]


def run(target: Target, folder: Path, content: bytes) -> None:
    """Parse a content.

    Args:
        target (Target): By what.
        folder (Path): For files.
        content (bytes): Of a file.

    Raises:
        Exception: If it is none that the parser documents.
    """
    with contextlib.suppress(*target.errors):
        target.parse(folder, content)


def _written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def _split(folder: Path, content: bytes) -> object:
    return read_split(str(_written(folder, 'split.json', content)), 'test')


def _split_seeds(folder: Path) -> list[bytes]:
    entry = ['a/é.jpg', 0, 'hot dog'], ['b.jpg', 1, 'cat']
    content = dict(train=entry, val=[], test=entry)
    return [json.dumps(content).encode(), b'{"train": [], "val": []}']


def _aircraft(folder: Path, content: bytes) -> object:
    facts = COOP_DATASETS['fgvc_aircraft']
    root = folder / facts.folder
    root.mkdir(exist_ok=True)
    names, _, images = content.partition(BETWEEN)
    _written(root, facts.class_file, names)
    _written(root, facts.split_file.format('train'), images)
    # Not initialised: mmengine then collects garbage, which takes long.
    dataset = CoOpSplit('fgvc_aircraft', str(folder), lazy_init=True)
    return dataset.load_data_list()


def _aircraft_seeds(folder: Path) -> list[bytes]:
    return [BETWEEN.join([b'707-320\nA 330\n', b'12 A 330\n345 707-320\n'])]


def _csv(folder: Path, content: bytes) -> object:
    source = str(_written(folder, 'images.csv', content))
    return OwnImages(source, lazy_init=True).load_data_list()


def _csv_seeds(folder: Path) -> list[bytes]:
    return [
        b'path,label\na.jpg,cat\nb.jpg,cat\nc.jpg,"dog, hot"\n',
        b'path,label,split\na.jpg,cat,train\nb.jpg,cat,test\n',
    ]


def _names(folder: Path, content: bytes) -> object:
    return resolve_class_names(str(_written(folder, 'names.txt', content)))


def _names_seeds(folder: Path) -> list[bytes]:
    return ['\ufeffcrème brûlée\nhot_dog\r\n犬\n\n'.encode(), b'a\nA\n']


def _features(folder: Path, content: bytes) -> object:
    header, _, matrix = content.partition(BETWEEN)
    _written(folder, 'kept.json', header)
    _written(folder, 'kept.npy', matrix)
    return open_features(folder / 'kept', read_header(folder / 'kept'))


def _features_seeds(folder: Path) -> list[bytes]:
    origin = dict(images=dict(number=2, names='a', contents='b'), seed=1)
    writer = FeatureWriter(folder / 'seed', origin, 1, 2, rows_per_block=2)
    writer.append(np.ones((2, 3), np.float32))
    writer.finish()
    files = [folder / 'seed.json', folder / 'seed.npy']
    return [BETWEEN.join(file.read_bytes() for file in files)]


def _checkpoint(folder: Path, content: bytes) -> object:
    """Take the content as the pickle within a checkpoint's zip file.

    Mutations of a zip file itself would be found by its checksums alone.
    """
    with zipfile.ZipFile(folder / 'a.pth', 'w') as archive:
        archive.writestr('a/data.pkl', content)
        archive.writestr('a/byteorder', 'little')
        archive.writestr('a/data/0', bytes(64))
        archive.writestr('a/version', '3\n')
    return load_context(str(folder / 'a.pth'))


def _checkpoint_seeds(folder: Path) -> list[bytes]:
    ours = our_checkpoint(torch.zeros(4, 4), 3, ['cat', 'dog'])
    history = HistoryBuffer([0.5], [1])
    ours['message_hub'] = dict(log_scalars=dict(loss=history))
    theirs = dict(state_dict=dict(ctx=torch.zeros(4, 4).half()), epoch=2)
    contents = []
    for checkpoint in (ours, theirs):
        file = io.BytesIO()
        torch.save(checkpoint, file)
        with zipfile.ZipFile(file) as archive:
            name = next(n for n in archive.namelist() if n.endswith('.pkl'))
            contents.append(archive.read(name))
    return contents


def _checkpoint_file(folder: Path, content: bytes) -> object:
    """Take the content as the whole file: torch's older form, or any."""
    return load_context(str(_written(folder, 'b.pth', content)))


def _checkpoint_file_seeds(folder: Path) -> list[bytes]:
    contents = []
    for in_zip in (True, False):
        file = io.BytesIO()
        checkpoint = our_checkpoint(torch.zeros(2, 3))
        torch.save(checkpoint, file, _use_new_zipfile_serialization=in_zip)
        contents.append(file.getvalue())
    return contents


def _config(folder: Path, content: bytes) -> object:
    config = parse_config(content.decode('utf-8', 'replace'))
    check_types(config)
    return config


def _config_seeds(folder: Path) -> list[bytes]:
    return [
        b"model = dict(head=dict(type='mmcoop.CoOpHead', n=[1, -2.5e3]))\n",
        b"a = dict({'1': (None, True, -inf)})  # more\nb = 'x\\n'\n",
    ]


def _results(folder: Path, content: bytes) -> object:
    _written(folder, 'result.json', content)
    return read_results([folder])


def _results_seeds(folder: Path) -> list[bytes]:
    labels = dict(method='CoOp', dataset='dtd', shots='16', seed='1')
    metrics = {'test': {'accuracy/top1': 12.5}}
    return [json.dumps(dict(labels=labels, metrics=metrics)).encode()]


def _image(folder: Path, content: bytes) -> object:
    path = _written(folder, 'image.img', content)
    load = LoadImageFromFile(max_pixels=1 << 20)
    return load(dict(img_path=str(path)))


def _image_seeds(folder: Path) -> list[bytes]:
    contents = []
    for kind in ('PNG', 'JPEG', 'GIF', 'TIFF', 'WEBP', 'BMP', 'PPM', 'TGA'):
        file = io.BytesIO()
        Image.linear_gradient('L').resize((9, 7)).convert('RGB').save(
            file, kind
        )
        contents.append(file.getvalue())
    return contents


REFUSED = (pickle.UnpicklingError, RuntimeError, ValueError)
TARGETS = {
    'split': Target(_split, (ValueError,), _split_seeds),
    'aircraft': Target(_aircraft, (ValueError,), _aircraft_seeds),
    'csv': Target(_csv, (ValueError,), _csv_seeds),
    'names': Target(_names, (ValueError,), _names_seeds),
    'features': Target(_features, (UnusableFeaturesError,), _features_seeds),
    'checkpoint': Target(_checkpoint, REFUSED, _checkpoint_seeds),
    'checkpoint_file': Target(
        _checkpoint_file, REFUSED, _checkpoint_file_seeds
    ),
    'config': Target(_config, (ConfigTextError,), _config_seeds),
    'results': Target(_results, (ValueError,), _results_seeds),
    'image': Target(_image, (OSError,), _image_seeds),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Fuzz the parsers.')
    parser.add_argument(
        'targets', nargs='*', metavar='TARGET', help=', '.join(TARGETS)
    )
    parser.add_argument('--seconds', type=int, default=3600, help='in all')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--corpus', default='work_dirs/fuzz')
    parser.add_argument('--in-this-process', action='store_true')
    return parser.parse_args()


def main() -> None:
    """Fuzz one target after the other."""
    args = parse_args()
    unknown = sorted({*args.targets} - {*TARGETS})
    if unknown:
        sys.exit(
            f'fuzz.py: error: no target is called {unknown[0]!r}: choose '
            f'from {", ".join(TARGETS)}.'
        )
    if atheris is None:
        sys.exit('fuzz.py: error: atheris is missing: pip install atheris')
    names = args.targets or list(TARGETS)
    seconds = max(1, args.seconds // len(names))
    corpus = Path(args.corpus).absolute()
    if args.in_this_process:
        _fuzz(names[0], seconds, args.seed, corpus)
    # libFuzzer ends the process when it is done.
    failed = [
        name
        for name in names
        if subprocess.run(
            [sys.executable, __file__, name, '--in-this-process']
            + ['--seconds', str(seconds), '--seed', str(args.seed)]
            + ['--corpus', str(corpus)]
        ).returncode
    ]
    sys.exit(
        f'fuzz.py: broken by a file: {", ".join(failed)}' if failed else 0
    )


def _fuzz(name: str, seconds: int, seed: int, corpus: Path) -> None:
    target = TARGETS[name]
    MMLogger.get_current_instance().setLevel(logging.CRITICAL)
    (corpus / name).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for index, content in enumerate(target.seeds(Path(folder))):
            (corpus / name / f'seed-{index}').write_bytes(content)
        options = [
            f'-max_total_time={seconds}',
            f'-seed={seed}',
            f'-max_len={MAX_BYTES}',
            '-timeout=20',
            '-rss_limit_mb=4096',
            '-print_final_stats=1',
            f'-artifact_prefix={corpus}/{name}-',
            str(corpus / name),
        ]
        atheris.instrument_func(torch._weights_only_unpickler.Unpickler.load)
        print(f'==== {name}, seed {seed}, {seconds} s', flush=True)
        atheris.Setup(
            [sys.argv[0], *options],
            lambda content: run(target, Path(folder), content),
        )
        atheris.Fuzz()


if __name__ == '__main__':
    main()
