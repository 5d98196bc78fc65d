"""Download files and unpack archives, safely and after interruptions too."""

import errno
import hashlib
import http.client
import os
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 1 << 20
TIMEOUT_S = 30
# What an archive may unpack to: images hardly shrink by packing.
MAX_UNPACKED = 1 << 30
MAX_TIMES = 20
# What a file takes on disk, however empty it is
BLOCK = 4096
# Of a tar file's name or attributes, which are read as a whole
MAX_HEADER = 1 << 20
HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
# What a server sends instead of a file, as when too many have asked for it
PAGE_STARTS = (b'<!doctype html', b'<html')


class FetchError(OSError):
    """A file cannot be had, or is not what it should be."""


def download(
    url: str,
    file: Path,
    md5: str | None = None,
    report: Callable[[int, int | None], None] = lambda done, total: None,
) -> None:
    """Download a file, from where an earlier try ended.

    Args:
        url (str): Where it is.
        file (Path): Where it goes; it appears there when it is complete.
        md5 (str, optional): Its checksum.
        report (Callable): Called with the bytes that are there and those
            of the whole file, if known.

    Raises:
        FetchError: If there is no network, the server does not have it, or
            the checksum is another.
    """
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f'{file.name}.part')
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={'User-Agent': 'mmcoop'})
    if have:
        request.add_header('Range', f'bytes={have}-')
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            # A server that cannot continue sends all of it again.
            mode = 'ab' if answer.status == 206 else 'wb'
            have = have if mode == 'ab' else 0
            length = answer.headers.get('Content-Length')
            known = length is not None and length.isdecimal()
            total = have + int(length) if known else None
            with open(part, mode) as target:
                while chunk := answer.read(CHUNK):
                    target.write(chunk)
                    have += len(chunk)
                    report(have, total)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # "nothing after that": it is complete
            raise FetchError(
                f'{url} answers {error.code} ({error.reason}): it may have '
                f'moved. Get the file elsewhere and put it at {file}.'
            ) from error
    except (
        TimeoutError,
        ConnectionError,
        urllib.error.URLError,
        http.client.HTTPException,
    ) as error:
        host = urlsplit(url).hostname
        raise FetchError(
            f'{host} cannot be reached ({getattr(error, "reason", error)}). '
            'Run this again with a network, which goes on where it stopped; '
            f'or get {url} elsewhere and put it at {file}.'
        ) from error
    else:
        if total is not None and have < total:
            raise FetchError(
                f'{url} broke off after {have} of {total} bytes. Run this '
                'again, which goes on where it stopped.'
            )
    _check(part, file, url, md5)
    os.replace(part, file)


def unpack(
    archive: Path,
    target: Path,
    inside: str = '',
    archive_inside: str | None = None,
) -> None:
    """Unpack a part of an archive, whole or not at all.

    Refused are entries that would land outside, links that lead there,
    devices, and archives that unpack to far more than they are. Other links
    are left out.

    Args:
        archive (Path): A zip or tar file.
        target (Path): What the part becomes; nothing if it is there.
        inside (str): Path of the part in the archive; '' for all.
        archive_inside (str, optional): An archive in the archive, which is
            the one meant.

    Raises:
        FetchError: If the archive is damaged, dangerous, or another one.
    """
    if target.exists():
        return
    with tempfile.TemporaryDirectory(
        prefix='.unpacking-', dir=target.parent
    ) as folder:
        _extract(archive, Path(folder), archive_inside or inside)
        if archive_inside is not None:
            inner = Path(folder, archive_inside)
            _require(inner, archive, archive_inside)
            folder = str(inner.parent)
            _extract(inner, inner.parent, inside)
        found = Path(folder, inside)
        _require(found, archive, inside)
        os.replace(found, target)


def _check(part: Path, file: Path, url: str, md5: str | None) -> None:
    """Refuse what is not the file that was meant."""
    with open(part, 'rb') as content:
        start = content.read(64).lstrip().lower()
        content.seek(0)
        if start.startswith(PAGE_STARTS):
            part.unlink()
            raise FetchError(
                f'{url} gives a web page instead of a file, as servers do '
                'when too many have asked for it. Open it in a browser, '
                f'save the file at {file}, and run this again.'
            )
        if md5 is None:
            return
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    found = digest.hexdigest()
    if found != md5:
        part.unlink()
        raise FetchError(
            f'{url} gave a file with MD5 {found} instead of {md5}; it is '
            'deleted. Run this again. If that does not help, the file was '
            f'changed: get the original, and put it at {file}.'
        )


def _extract(archive: Path, folder: Path, part: str) -> None:
    """Extract the entries of a part."""
    try:
        if zipfile.is_zipfile(archive):
            _extract_zip(archive, folder, part)
        else:
            _extract_tar(archive, folder, part)
    except FetchError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # the disk's fault
        raise _damaged(archive, error) from error
    # Both libraries let errors of decompressors and of decoding through, and
    # have RuntimeError for archives with a password.
    except Exception as error:
        raise _damaged(archive, error) from error


def _extract_zip(archive: Path, folder: Path, part: str) -> None:
    room = _room(archive)
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            # Reading stops where this size says, even if there is more.
            room -= entry.file_size + BLOCK
            _require_room(room, archive)
            # It makes no links, and follows none.
            if _is_in(entry.filename, part, folder, archive):
                content.extract(entry, folder)


def _extract_tar(archive: Path, folder: Path, part: str) -> None:
    room = _room(archive)
    with tarfile.open(archive, tarinfo=_TarEntry) as content:
        for entry in content:
            room -= entry.size + BLOCK
            _require_room(room, archive)
            if not _is_in(entry.name, part, folder, archive):
                continue
            if entry.isfile() or entry.isdir():
                content.extract(entry, folder, **_tar_filter())
            elif entry.issym() or entry.islnk():
                beside = Path(entry.name).parent if entry.issym() else ''
                # Left out: the files that are wanted are there themselves.
                _is_in(
                    os.path.join(beside, entry.linkname), '', folder, archive
                )
            else:
                raise FetchError(
                    f'{archive} wants to make {entry.name}, a device or a '
                    'pipe: it is not the archive that was meant. Delete it.'
                )


class _TarEntry(tarfile.TarInfo):
    """An entry of a tar file whose name and attributes fit into memory."""

    @classmethod
    def frombuf(cls, *args, **kwargs) -> tarfile.TarInfo:
        entry = super().frombuf(*args, **kwargs)
        if entry.type in HEADERS and entry.size > MAX_HEADER:
            raise FetchError(
                f'it has a header of {entry.size} bytes, and no archive of '
                f'files has one of more than {MAX_HEADER}'
            )
        return entry


def _room(archive: Path) -> int:
    return max(MAX_UNPACKED, MAX_TIMES * archive.stat().st_size)


def _require_room(room: int, archive: Path) -> None:
    if room < 0:
        raise FetchError(
            f'{archive} unpacks to more than {_room(archive) >> 20} MiB, of '
            f'{archive.stat().st_size >> 10} KiB: it is made to fill the '
            'disk. Delete it. If you know better, unpack it by hand.'
        )


def _damaged(archive: Path, error: Exception) -> FetchError:
    return FetchError(
        f'{archive} cannot be unpacked ({type(error).__name__}: {error}): '
        'delete it and run this again.'
    )


def _tar_filter() -> dict[str, str]:
    # In Python 3.12, and in the later releases of the others
    return {'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}


def _is_in(name: str, part: str, folder: Path, archive: Path) -> bool:
    """Whether an entry belongs to a part; refuses those that break out."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise FetchError(
            f'{archive} wants to write {name}, outside of its folder: it is '
            'not the archive that was meant. Delete it.'
        )
    return path.is_relative_to((folder / part).resolve())


def _require(path: Path, archive: Path, inside: str) -> None:
    if not path.exists():
        raise FetchError(
            f'{archive} has no {inside}: it is not the archive that was '
            'meant. Delete it and run this again.'
        )
