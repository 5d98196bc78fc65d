"""Evaluate a context on domains that it was not learned on; one table.

    python tools/domain_generalisation.py CONFIG CHECKPOINT [--domains FILE]
        [--out FILE.json]

The domains are those of configs/domains: ImageNet's four variants for a
config of ImageNet, unseen drawing styles for one of the embedded data; FILE
is one of your own. Without CHECKPOINT, hand-written prompts are evaluated
(configs/zero_shot).
"""

import argparse
import json
import sys
from pathlib import Path

from mmengine.config import Config

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.engine import CommandError, read_config
from mmcoop.protocol.new_data import on_domains

DOMAINS = Path(__file__).resolve().parent.parent / 'configs' / 'domains'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Evaluate on domains.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', nargs='?', help='what was learned')
    parser.add_argument(
        '--domains', metavar='FILE', help='a file like configs/domains/*.py'
    )
    parser.add_argument('--work-dir', help='folder for the logs')
    parser.add_argument('--out', metavar='FILE', help='also write JSON')
    return parser.parse_args()


def find_domains(config: str, given: str | None) -> dict[str, dict]:
    """Read the domains to evaluate on.

    Raises:
        CommandError: If there are none for the config.
    """
    if given is None:
        known = sorted(DOMAINS.glob('*.py'))
        fitting = [p for p in known if Path(config).stem.endswith(p.stem)]
        if not fitting:
            raise CommandError(
                f'no domains are known for {config}: give a file like '
                f'{known[0]} with --domains.'
            )
        given = str(fitting[0])
    return Config.fromfile(given).domains


def main() -> None:
    """Print the table."""
    args = parse_args()
    try:
        cfg = read_config(args.config, args.work_dir)
        domains = find_domains(args.config, args.domains)
        work_dir = Path(cfg.work_dir, 'domains')
        found = on_domains(cfg, domains, args.checkpoint, work_dir)
    except (CommandError, FileNotFoundError) as error:
        sys.exit(f'domain_generalisation.py: error: {error}')
    print('\n| data | accuracy in % |\n| --- | ---: |')
    for name, accuracy in found.items():
        print(f'| {"own test data" if name == "test" else name} '
              f'| {accuracy:.2f} |')  # fmt: skip
    if args.out is not None:
        text = json.dumps(found, indent=2) + '\n'
        Path(args.out).write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
