"""A headless browser for the tests of pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
    '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
]  # fmt: skip


@contextmanager
def open_browser(user_data: Path) -> Iterator:
    """Start Chromium, or skip the test where there is none.

    Args:
        user_data (Path): An empty folder.

    Yields:
        selenium.webdriver.Chrome: That notes what pages ask for.
    """
    webdriver = pytest.importorskip('selenium.webdriver')
    chromium, driver = map(shutil.which, ('chromium', 'chromedriver'))
    if chromium is None or driver is None:
        pytest.skip('needs chromium and chromedriver')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f'--user-data-dir={user_data}'):
        options.add_argument(flag)
    options.set_capability(
        'goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'}
    )
    service = webdriver.ChromeService(executable_path=driver)
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def set_width(browser, width: int) -> None:
    """Make the screen so many pixels wide; below 600, a phone's."""
    browser.execute_cdp_cmd(
        'Emulation.setDeviceMetricsOverride',
        dict(width=width, height=844, deviceScaleFactor=1, mobile=width < 600),
    )
