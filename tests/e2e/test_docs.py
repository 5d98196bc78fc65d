"""The documentation: it builds, is whole, and its code blocks run.

The blocks of a guide run in order, in a folder like a clone in which the first
guide has been followed. Commands that need what no test can have must fail
with the error that says so.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from code_blocks import (
    ROOT,
    Block,
    Shell,
    layout_of_repository,
    name_last_epoch,
    open_shell,
    read_blocks,
    shorten,
)

DOCS = ROOT / 'docs'
FIRST = DOCS / 'guides/first_prompt.md'
LANGUAGES = ('bash', 'python')
# Their commands are run by the tests named
ELSEWHERE = {
    'guides/mmpretrain_tools.md': 'test_mmpretrain_tools.py',
    'guides/page.md': 'test_demo_app.py',
    'features_kept.md': 'test_cache_features.py',
    'performance.md': 'test_benchmarks.py',
    'reliability.md': 'test_matrix.py',
}
# Of those, pages whose commands take minutes to hours as they stand: only
# their options are tried.
LONG = ('features_kept.md', 'performance.md')
PAGES = sorted(DOCS.rglob('*.md'))
RUN = [
    page
    for page in PAGES
    if str(page.relative_to(DOCS)) not in ELSEWHERE
    and page != FIRST
    and not page.is_relative_to(DOCS / 'api')
    and page.name != 'index.md'
]
# What a block has in it: the error that it must end in
FAILS = {
    'configs/coop/vitb16_16shot_own.py\n': 'must be downloaded, but',
    '--cluster slurm': 'there is no `sbatch` here',
}
# The scripts call these; `echo` shows how
LAUNCHERS = ('srun',)
NO_SUCH_OPTION = '--no-such-option'


def page_name(page: Path) -> str:
    return str(page.relative_to(DOCS))


def shorten_here(arguments: list[str]) -> list[str]:
    # Of a guide of its own, without test images, and short as it is
    return [] if 'whole_config.py' in arguments else shorten(arguments)


def read_steps(page: Path) -> list[Block]:
    """The blocks of a page that are run.

    Blocks of Python that follow each other are one program: the later use
    the names of the earlier.
    """
    steps: list[Block] = []
    for block in read_blocks(page):
        if block.language not in LANGUAGES:
            continue
        last = steps[-1] if steps else None
        if (
            last
            and 'python' == last.language == block.language
            and not (last.title or block.title)
        ):
            steps[-1] = replace(last, text=f'{last.text}\n{block.text}')
        else:
            steps.append(block)
    return steps


def follow(page: Path, shell: Shell) -> str:
    """Run the blocks of a page."""
    output = ''
    names = ''
    for block in read_steps(page):
        if block.language == 'bash':
            # A reader's shell keeps names from block to block.
            block = replace(block, text=names + block.text)
            names = ''.join(re.findall(r'^[A-Z_]+=\S+\n', block.text, re.M))
        done = shell.run_block(block)
        if done is None:
            continue
        errors = [text for part, text in FAILS.items() if part in block.text]
        assert (done.returncode != 0) == bool(errors), done.stdout[-3000:]
        assert all(error in done.stdout for error in errors)
        output += done.stdout
    return output


@pytest.fixture(scope='module')
def shell(tmp_path_factory):
    """A shell in a clone with the embedded data, some of it as photos."""
    folder = layout_of_repository(tmp_path_factory.mktemp('docs'))
    with zipfile.ZipFile(ROOT / 'mmcoop/assets/emoji.zip') as archive:
        archive.extractall(folder / 'data')
    for classes in sorted((folder / 'data/emoji/train').iterdir())[:12]:
        (folder / 'photos' / classes.name).mkdir(parents=True)
        for image in sorted(classes.iterdir())[:5]:
            shutil.copy(image, folder / 'photos' / classes.name)
    names = '\n'.join(f'name {number}' for number in range(12))
    (folder / 'names.txt').write_text(names)
    with open_shell(folder, shorten_here) as shell:
        for launcher in LAUNCHERS:
            (folder / 'bin' / launcher).symlink_to(shutil.which('echo'))
        yield shell


@pytest.fixture(scope='module')
def first_prompt(shell) -> str:
    """What the first guide prints; its checkpoint is there afterwards."""
    for run in ('tinyclip_16shot_emoji', 'tinyclip_16shot_emoji_half'):
        name_last_epoch(shell.folder / 'work_dirs' / run)
    return follow(FIRST, shell)


def test_first_prompt(first_prompt, shell):
    assert first_prompt.count('accuracy/top1') >= 4
    learned = shell.folder / 'work_dirs/tinyclip_16shot_emoji/epoch_1.pth'
    assert learned.stat().st_size < 100_000
    assert (shell.folder / 'work_dirs/four_vectors/epoch_1.pth').exists()
    assert (shell.folder / 'work_dirs/my_config/epoch_1.pth').exists()


@pytest.mark.parametrize('page', RUN, ids=page_name)
def test_blocks_run(page, first_prompt, shell, monkeypatch):
    if page.name == 'many_gpus.md':
        # Processes that wait for GPUs: the scripts say what they would start.
        monkeypatch.setenv('PYTHON', 'echo')
    output = follow(page, shell)
    if page.name == 'many_gpus.md':
        assert output.count('--nproc_per_node=8') == 6
        assert output.count('tools/train.py') == 6
        assert '--launcher pytorch --auto-scale-lr' in output
        assert '--ntasks=8' in output
    if page.name == 'rejection.md':
        assert 'auroc' in output
    if page.name == 'predict.md':
        assert 'the file is no image' in output
    if page.name == 'own_data.md':
        assert 'train 48 images of' in output
        assert 'test 12 images of' in output


@pytest.mark.parametrize('name', LONG)
def test_options_of_long_commands(name, tmp_path):
    """Each command fails by an option that is not there, and by no other."""
    folder = layout_of_repository(tmp_path)
    output = ''
    with open_shell(folder, lambda _: [NO_SUCH_OPTION]) as shell:
        for block in read_blocks(DOCS / name):
            if block.language == 'bash':
                output += shell.run(block.text, go_on=True).stdout
    errors = re.findall(r'error: .*', output)
    assert len(errors) >= 5
    assert set(errors) == {f'error: unrecognized arguments: {NO_SUCH_OPTION}'}


def test_elsewhere_is_there():
    for page, test in ELSEWHERE.items():
        assert (DOCS / page).is_file()
        assert (ROOT / 'tests/e2e' / test).is_file()


@pytest.mark.parametrize('page', PAGES, ids=page_name)
def test_files_named_are_there(page):
    text = page.read_text(encoding='utf-8')
    paths = re.findall(
        r'(?<![\w/.])(?:tools|configs|tests|mmcoop|_base_)/[\w/.-]+\.\w+', text
    )
    for path in paths:
        folder = ROOT / 'configs' if path.startswith('_base_') else ROOT
        assert (folder / path).exists(), path


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> Path:
    """The built site; a broken link or docstring is an error."""
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, NO_MKDOCS_2_WARNING='1'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_site_loads_nothing_from_elsewhere(site):
    pages = list(site.rglob('*.html'))
    assert len(pages) > 10
    for page in pages:
        loaded = re.findall(
            r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(https?:[^"]*)',
            page.read_text(encoding='utf-8'),
        )
        assert not loaded, page


def public_names() -> list[tuple[str, str]]:
    """(package, name) of what packages export, constants apart."""
    found = []
    for file in sorted((ROOT / 'mmcoop').glob('*/__init__.py')):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Assign) and (
                node.targets[0].id == '__all__'
            ):
                names = ast.literal_eval(node.value)
                package = file.parent.name
                found += [(package, n) for n in names if not n.isupper()]
    return found


def test_api_pages_have_all_public_names(site):
    names = public_names()
    assert len(names) > 40
    for package, name in names:
        page = (site / f'api/{package}.html').read_text(encoding='utf-8')
        # A function in a file of its own name is listed as that file's.
        assert re.search(rf'id="mmcoop\.{package}\.({name}\.)?{name}"', page)
