"""The page of tools/demo_app.py in a real browser, used as people do."""

import socket
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import open_browser, set_width
from mmengine.config import Config
from mmengine.runner import get_state_dict
from mmpretrain.registry import MODELS
from PIL import Image
from tool_process import run_tool, start_tool

CONFIG = Path(__file__).parents[2] / 'configs/coop/tinyclip_16shot_emoji.py'
NAMES = ('dog', 'hot dog', 'ox')
SECONDS = 120

pytest.importorskip('gradio')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A checkpoint that learned nothing, and images it learned it from."""
    folder = tmp_path_factory.mktemp('app')
    rng = np.random.default_rng(0)
    for name in NAMES:
        (folder / 'images' / name).mkdir(parents=True)
        for index in range(4):
            pixels = rng.integers(0, 256, (70, 70, 3), np.uint8)
            Image.fromarray(pixels).save(
                folder / 'images' / name / f'{index}.png'
            )
    (folder / 'text.png').write_text('no image')
    # Small as a file, 225 million pixels: Pillow refuses to unpack it.
    Image.new('1', (15_000, 15_000)).save(folder / 'bomb.png')
    (folder / 'large.png').write_bytes(bytes(21_000_000))
    cfg = Config.fromfile(CONFIG)
    cfg.model.head.class_names = list(NAMES)
    data = dict(type='CustomDataset', data_root=str(folder / 'images'))
    cfg.train_dataloader.dataset = data
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, _scope_='mmpretrain'))
    rejection = dict(
        score='mcm', temperature=1.0, threshold=0.9, true_accept_rate=0.95,
        num_images=12,
    )  # fmt: skip
    meta = dict(cfg=cfg.pretty_text, rejection=rejection)
    torch.save(
        dict(meta=meta, state_dict=get_state_dict(model)), folder / 'e.pth'
    )
    return folder


@pytest.fixture(scope='module')
def address(folder):
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    output = folder / 'output.txt'
    env = dict(GRADIO_TEMP_DIR=str(folder / 'uploads'))
    process = start_tool(
        'demo_app.py', 'e.pth', '--port', port, cwd=folder, env=env,
        output=output,
    )  # fmt: skip
    wait_for(lambda: answers(port) or not process.is_alive())
    assert process.is_alive(), output.read_text()
    yield f'http://127.0.0.1:{port}'
    process.terminate()
    process.join(10)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(('127.0.0.1', port)) == 0


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, 'nothing happens'
        time.sleep(0.1)
    return found


class Page:
    """What a person sees and does."""

    def __init__(self, browser, address):
        self.browser = browser
        browser.get(address)
        wait_for(lambda: self.all('#ask'))

    def all(self, css):
        return self.browser.find_elements('css selector', css)

    def upload(self, path):
        wait_for(lambda: self.all('input[type=file]'))[0].send_keys(str(path))

    def write(self, box, text):
        (field,) = self.all(f'{box} textarea, {box} input')
        field.clear()
        field.send_keys(text)

    def ask(self):
        self.all('#ask')[0].click()

    def text(self, css):
        # In one step: what is found may be gone when it is asked for its text.
        return self.browser.execute_script(
            'return [...document.querySelectorAll(arguments[0])]'
            '.map(element => element.innerText).join(" ")',
            css,
        )

    @property
    def verdict(self):
        (field,) = self.all('#verdict textarea, #verdict input')
        return field.get_attribute('value')

    def close_errors(self):
        wait_for(
            lambda: self.browser.execute_script(
                'document.querySelectorAll(".toast-close")'
                '.forEach(button => button.click());'
                'return !document.querySelector(".toast-body")'
            )
        )


@pytest.fixture(scope='module')
def page(address, tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp('user')) as browser:
        set_width(browser, 1280)
        yield Page(browser, address)


def test_upload_change_names_and_read_the_result(page, folder):
    image = folder / 'images/ox/2.png'
    page.upload(image)
    wait_for(lambda: page.verdict)
    # The threshold of the checkpoint is above any fit.
    assert page.verdict.startswith('none of these (fit 0.3')
    for prompt in '#learned', '#written':
        assert all(name in page.text(prompt) for name in NAMES)
    # Its own training image is there.
    wait_for(lambda: '1.00 ox' in page.text('#neighbours'))
    assert 'Calibrated on 12 held-out images' in page.text('body')

    page.all('#rejects input')[0].click()
    wait_for(lambda: not page.verdict.startswith('none'))
    page.write('#class-names', 'zebra\nokapi')
    page.ask()
    wait_for(lambda: 'zebra' in page.text('#learned'))
    assert page.verdict.startswith(('zebra (fit', 'okapi (fit'))
    assert 'hot dog' not in page.text('#learned')
    assert 'okapi' in page.text('#written')


@pytest.mark.parametrize(
    ('file', 'message', 'seconds'),
    [
        # Longer than Gradio shows an error by itself
        ('text.png', 'the file is no image', 11),
        ('bomb.png', 'pixels', 0),
        ('large.png', 'size', 0),
    ],
)
def test_files_that_cannot_be_shown(page, folder, file, message, seconds):
    page.upload(folder / file)
    wait_for(lambda: message in page.text('.toast-body'))
    # Until it is read, however long the browser is busy with the image.
    time.sleep(seconds)
    assert message in page.text('.toast-body')
    page.close_errors()
    # And the page goes on, with names that no other test has.
    page.write('#class-names', f'zebra\n{file}')
    page.upload(folder / 'images/dog/0.png')
    wait_for(lambda: file in page.text('#learned'))


def test_names_and_prompts_that_cannot_be_used(page, folder):
    page.upload(folder / 'images/dog/0.png')
    for box, text, message in (
        ('#class-names', 'ox\nox', "'ox'"),
        ('#class-names', 'a ' * 80, 'tokens'),
        ('#template', 'a photo', 'write {} once'),
    ):
        page.write('#class-names', 'ox\nyak')
        page.write(box, text)
        page.ask()
        wait_for(lambda m=message: m in page.text('.toast-body'))
        page.close_errors()
    page.write('#template', 'a photo of a {}.')


def test_it_asks_nobody_and_fits_a_phone(page, folder):
    others = page.browser.execute_script(
        'return performance.getEntriesByType("resource").map(e => e.name)'
        '.filter(name => !name.startsWith(location.origin))'
    )
    assert others == []
    set_width(page.browser, 390)
    page.browser.refresh()
    wait_for(lambda: page.all('#ask'))
    page.upload(folder / 'images/dog/0.png')
    wait_for(lambda: page.all('#verdict') and page.verdict)
    width = page.browser.execute_script(
        'return document.documentElement.scrollWidth'
    )
    assert width <= 390


def test_errors_of_the_command(folder, address):
    port = address.rpartition(':')[2]
    used = run_tool('demo_app.py', 'e.pth', '--port', port, cwd=folder)
    assert used.returncode == 1
    assert f'demo_app.py: error: port {port} of 127.0.0.1' in used.stdout
    gone = run_tool('demo_app.py', 'gone.pth', '--port', 0, cwd=folder)
    assert gone.returncode == 1
    assert 'demo_app.py: error: The checkpoint gone.pth' in gone.stdout
    assert 'Traceback' not in used.stdout + gone.stdout
