import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmcoop.protocol.fetch import FetchError, download, unpack

CONTENT = bytes(range(256)) * 4096


class Server(BaseHTTPRequestHandler):
    """Serves one file, from any byte on, and can break off."""

    break_after = None
    asked = []

    def do_GET(self):
        if self.path == '/page':
            content, first = b'<!DOCTYPE html><html>Quota exceeded', 0
        elif self.path == '/file':
            given = self.headers.get('Range', 'bytes=0-')
            first = int(given.removeprefix('bytes=').removesuffix('-'))
            content = CONTENT[first:]
        else:
            self.send_error(404)
            return
        type(self).asked.append(first)
        self.send_response(206 if first else 200)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.break_after])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv('no_proxy', '*')
    Server.break_after, Server.asked = None, []
    server = ThreadingHTTPServer(('127.0.0.1', 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloads_and_verifies(server, tmp_path):
    file = tmp_path / 'folder' / 'file.bin'
    reports = []
    md5 = hashlib.md5(CONTENT).hexdigest()
    download(f'{server}/file', file, md5, lambda *r: reports.append(r))
    assert file.read_bytes() == CONTENT
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    download(f'{server}/file', file, md5)
    assert Server.asked == [0], 'what is there is not downloaded again'
    assert [path.name for path in file.parent.iterdir()] == ['file.bin']


def test_goes_on_where_it_broke_off(server, tmp_path):
    file = tmp_path / 'file.bin'
    Server.break_after = 300_000
    with pytest.raises((FetchError, OSError), match='goes on where|broke off'):
        download(f'{server}/file', file)
    assert not file.exists()
    Server.break_after = None
    download(f'{server}/file', file)
    assert file.read_bytes() == CONTENT
    assert Server.asked[0] == 0
    assert 0 < Server.asked[1] <= 300_000


def test_other_checksum_is_refused(server, tmp_path):
    file = tmp_path / 'file.bin'
    with pytest.raises(FetchError, match='MD5 .* instead of 00'):
        download(f'{server}/file', file, '00')
    assert list(tmp_path.iterdir()) == []


def test_web_page_is_no_file(server, tmp_path):
    with pytest.raises(FetchError, match='gives a web page instead'):
        download(f'{server}/page', tmp_path / 'split.json')
    assert list(tmp_path.iterdir()) == []


def test_missing_file_is_reported(server, tmp_path):
    with pytest.raises(FetchError, match='answers 404 .*put it at'):
        download(f'{server}/nothing', tmp_path / 'file')


def test_no_network_is_reported_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv('no_proxy', '*')
    with pytest.raises(FetchError, match='127.0.0.1 cannot be reached'):
        download('http://127.0.0.1:9/file', tmp_path / 'file')


def make_tar(path, entries, mode='w:gz'):
    with tarfile.open(path, mode) as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, 'a.jpg'
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def make_zip(path, entries):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.mark.parametrize('make', [make_tar, make_zip])
def test_takes_the_part_that_is_wanted(tmp_path, make):
    archive = tmp_path / 'archive'
    make(archive, {'data/images/a.jpg': b'a', 'data/other/b': b'b'})
    unpack(archive, tmp_path / 'images', 'data/images')
    assert [p.name for p in (tmp_path / 'images').iterdir()] == ['a.jpg']
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ['archive', 'images']
    # What is there stays as it is.
    (tmp_path / 'images' / 'a.jpg').write_text('mine')
    unpack(archive, tmp_path / 'images', 'data/images')
    assert (tmp_path / 'images' / 'a.jpg').read_text() == 'mine'


def test_archive_in_an_archive(tmp_path):
    make_tar(tmp_path / 'inner.tar.gz', {'images/a.jpg': b'a'})
    inner = (tmp_path / 'inner.tar.gz').read_bytes()
    make_zip(tmp_path / 'outer.zip', {'set/inner.tar.gz': inner})
    unpack(
        tmp_path / 'outer.zip',
        tmp_path / 'images',
        'images',
        'set/inner.tar.gz',
    )
    assert (tmp_path / 'images' / 'a.jpg').read_bytes() == b'a'


@pytest.mark.parametrize(
    'name', ['../evil', '/tmp/evil-of-mmcoop', 'a/../../e']
)
@pytest.mark.parametrize('make', [make_tar, make_zip])
def test_entries_outside_are_refused(tmp_path, make, name):
    folder = tmp_path / 'data'
    folder.mkdir()
    make(folder / 'archive', {'images/a.jpg': b'a', name: b'evil'})
    with pytest.raises(FetchError, match='outside of its folder'):
        unpack(folder / 'archive', folder / 'images', 'images')
    assert [path.name for path in folder.iterdir()] == ['archive']
    assert [path.name for path in tmp_path.iterdir()] == ['data']


def test_links_are_left_out(tmp_path):
    make_tar(tmp_path / 'a.tar', {'x/a.jpg': b'a', 'x/b.jpg': None}, 'w')
    unpack(tmp_path / 'a.tar', tmp_path / 'x', 'x')
    assert [path.name for path in (tmp_path / 'x').iterdir()] == ['a.jpg']


@pytest.mark.parametrize('content', [b'', b'no archive', b'PK\x03\x04'])
def test_damaged_archive_is_refused(tmp_path, content):
    (tmp_path / 'archive').write_bytes(content)
    with pytest.raises(FetchError, match='cannot be unpacked|has no images'):
        unpack(tmp_path / 'archive', tmp_path / 'images', 'images')
    assert not (tmp_path / 'images').exists()


def test_other_archive_is_refused(tmp_path):
    make_zip(tmp_path / 'archive', {'else/a': 'a'})
    with pytest.raises(FetchError, match='has no images'):
        unpack(tmp_path / 'archive', tmp_path / 'images', 'images')
