"""The run report of a real run, in a real browser."""

import json
from pathlib import Path

import pytest
from browser import open_browser, set_width
from mmengine.config import Config
from mmengine.runner import Runner

ROOT = Path(__file__).resolve().parents[2]
EMOJI = ROOT / 'configs/coop/tinyclip_1shot_emoji.py'
EVIL = '<script>alert(1)</script>'
SECTIONS = [
    'summary', 'curves', 'classes', 'pairs', 'wrong', 'context', 'facts',
]  # fmt: skip


@pytest.fixture(scope='module')
def report(tmp_path_factory) -> Path:
    """Of one epoch on the embedded data, with a class name that attacks."""
    folder = tmp_path_factory.mktemp('report')
    names = (ROOT / 'mmcoop/assets/class_names/emoji.txt').read_text()
    names = [EVIL, *names.splitlines()[1:]]
    cfg = Config.fromfile(EMOJI)
    alone = dict(num_workers=0, persistent_workers=False, pin_memory=False)
    data = str(folder / 'data')
    cfg.merge_from_dict(
        dict(
            work_dir=str(folder / 'work'),
            train_cfg=dict(max_epochs=1, val_interval=1),
            model=dict(head=dict(class_names=names)),
            train_dataloader=dict(
                alone, dataset=dict(dataset=dict(data_root=data))
            ),
            val_dataloader=dict(
                alone,
                # Some from all over
                dataset=dict(data_root=data, indices=range(0, 1507, 15)),
            ),
            default_hooks=dict(report=dict(type='mmcoop.RunReportHook')),
        )
    )
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    Runner.from_cfg(cfg).train()
    return folder / 'work/report.html'


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp('user')) as browser:
        yield browser


def look(browser, page: Path, width: int, scheme: str) -> None:
    """Open a page on a screen of a width in pixels."""
    set_width(browser, width)
    feature = dict(name='prefers-color-scheme', value=scheme)
    browser.execute_cdp_cmd(
        'Emulation.setEmulatedMedia', dict(features=[feature])
    )
    for log in ('browser', 'performance'):
        browser.get_log(log)  # which empties it
    browser.get(page.as_uri())


def requests(browser) -> set[str]:
    """The kinds of addresses that the page has asked for."""
    messages = [
        json.loads(entry['message'])['message']
        for entry in browser.get_log('performance')
    ]
    return {
        message['params']['request']['url'].partition(':')[0]
        for message in messages
        if message['method'] == 'Network.requestWillBeSent'
    }


@pytest.mark.parametrize(('width', 'scheme'), [(390, 'dark'), (1280, 'light')])
def test_report_is_complete_and_fits(browser, report, width, scheme):
    look(browser, report, width, scheme)
    ask = browser.execute_script
    assert ask('return innerWidth') == width
    assert ask('return document.documentElement.scrollWidth') <= width
    assert not browser.get_log('browser'), 'no errors'
    assert requests(browser) <= {'file', 'data'}
    ids = ask('return [...document.querySelectorAll("section")].map(s=>s.id)')
    assert ids == SECTIONS
    widths = ask('return [...document.images].map(i => i.naturalWidth)')
    assert len(widths) > 24
    assert all(size > 0 for size in widths)
    texts = ask('return [...document.images].map(i => i.alt)')
    assert all(texts)
    # A class name of markup is a text, and nothing else
    assert ask('return document.scripts.length') == 0
    assert EVIL in ask('return document.body.textContent')
    ground = ask('return getComputedStyle(document.body).backgroundColor')
    is_dark = sum(map(int, ground.strip('rgb()').split(','))) < 3 * 128
    assert is_dark == (scheme == 'dark')


def test_tables_have_headers(browser, report):
    look(browser, report, 1280, 'light')
    without = browser.execute_script(
        'return [...document.querySelectorAll("tbody tr")]'
        '.filter(row => !row.querySelector("th[scope=row]")).length'
    )
    assert without == 0
    assert browser.execute_script(
        'return document.querySelectorAll("th[scope=col]").length'
    )


def test_links_lead_to_sections(browser, report):
    look(browser, report, 390, 'light')
    missing = browser.execute_script(
        'return [...document.links].map(a => a.hash).filter('
        'hash => !document.querySelector(hash))'
    )
    assert missing == []
