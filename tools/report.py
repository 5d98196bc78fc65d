"""Make tables and figures of what sweeps have found.

    python tools/report.py work_dirs/emoji [MORE …] [--out FOLDER] [--paper]

Writes results.csv, results.md, results.tex, and results.png and .svg (with
one data set, a panel per test; with several, one per data set and their
average). Runs that have not finished are left out.
"""

import argparse
import sys
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.protocol import figure, tables
from mmcoop.protocol.paper import PAPER_RN50
from mmcoop.protocol.results import datasets_of, read_results


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Report on sweeps.')
    parser.add_argument('folders', nargs='+', help='work directories')
    parser.add_argument(
        '--out', help='folder for the report; else the first work directory'
    )
    parser.add_argument(
        '--paper',
        action='store_true',
        help="add the paper's numbers (RN50) for the data sets at hand, "
        'labelled as such',
    )
    return parser.parse_args()


def main() -> None:
    """Write the report."""
    args = parse_args()
    try:
        cells = read_results(args.folders)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'report.py: error: {error}')
    datasets = datasets_of(cells)
    if args.paper:
        cells += [cell for cell in PAPER_RN50 if cell.dataset in datasets]
    out = Path(args.out or args.folders[0])
    out.mkdir(parents=True, exist_ok=True)
    markdown = tables.to_markdown(cells)
    for end, text in (
        ('.csv', tables.to_csv(cells)),
        ('.md', markdown),
        ('.tex', tables.to_latex(cells)),
    ):
        (out / f'results{end}').write_text(text, encoding='utf-8')
    if len(datasets) > 1:
        drawn = figure.draw(cells)
    else:
        drawn = figure.draw_tests(cells, datasets[0])
    figure.save(drawn, out / 'results')
    print(markdown)
    print(f'Written to {out}: results.csv, .md, .tex, .png, .svg')


if __name__ == '__main__':
    main()
