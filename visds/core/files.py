"""Whole files or none: a file appears under its name only when it is complete on disk."""

import contextlib
import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from visds.core.errors import OutputError

LONGEST_NAME = 100
"""Characters of a name that is made of any text."""


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success sync it and rename it to `path`.

    The temporary name ends in ``.part`` followed by the suffix of `path`, so that writers that
    look at the suffix work. On any error the temporary file is removed and `path` is as before.

    Raises
    ------
    OutputError
        If the folder cannot be written or the disk is full.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=f".part{path.suffix}",
                                        dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise output_error(path, error) from error
    part = Path(name)
    try:
        os.chmod(part, 0o666 & ~_umask())
        yield part
        sync(part)
        os.replace(part, path)
        sync(path.parent)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def output_error(path: str | os.PathLike, error: OSError) -> OutputError:
    """Return the one-line error for an `error` of the operating system met while writing `path`."""
    # astropy finds out itself that a FITS file has no room, and gives no number.
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "enough space" in str(error)
    reason = "no space left on the disk" if is_full else error.strerror or str(error)
    return OutputError(f"cannot write {path}: {reason}")


def make_folder(path: str | os.PathLike, *, outside: str | os.PathLike | None = None) -> Path:
    """Make a folder and its parents where they are missing, and check that it can be written.

    `outside`, where given, is a folder in which nothing may be written.

    Raises
    ------
    OutputError
        If it cannot be made or written, or lies where it must not.
    """
    path = Path(path)
    if outside is not None and path.resolve().is_relative_to(Path(outside).resolve()):
        raise OutputError(f"cannot write {path}: it is inside {outside}, which is only read")
    if path.exists() and not path.is_dir():
        raise OutputError(f"cannot write {path}: it is a file, expected a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise output_error(path, error) from error
    return path


def refuse_existing(path: str | os.PathLike | None, *, outside: str | os.PathLike) -> None:
    """Check that nothing has the name of something new that is to be written; None is no name.

    Raises
    ------
    OutputError
        If something is there already, there is no folder for it, or it would be in `outside`.
    """
    if path is None:
        return
    if Path(path).resolve() == Path(outside).resolve():
        raise OutputError(f"{path} is what is read, and is never written: give another name")
    if Path(path).resolve().is_relative_to(Path(outside).resolve()):
        raise OutputError(f"{path} is inside {outside}, which is only read: give another name")
    if os.path.lexists(path):
        raise OutputError(f"{path} exists already and is not overwritten: give another name")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise OutputError(f"cannot write {path}: there is no folder "
                          f"{os.path.dirname(os.path.abspath(path))}")


@contextlib.contextmanager
def only_writer(path: str | os.PathLike) -> Iterator[None]:
    """Keep programs that ask for the same file here, on any node, from working at the same time.

    The file is made if it is missing. The lock ends with the process, however that ends. Where
    the file system has no locks there is no protection.

    Raises
    ------
    OutputError
        If another program has it, or the file cannot be written.
    """
    try:
        file = open(path, "a")
    except OSError as error:
        raise output_error(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"cannot write {path}: another visds program is at work in "
                              f"{Path(path).parent}") from error
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise output_error(path, error) from error
        yield


def name_of_file(text: str) -> str:
    """Return a name in letters, digits and ``+-._`` alone, as AU_Mic, which begins with none.

    It has at most 100 of them; "target" where none is left.
    """
    return re.sub(r"[^A-Za-z0-9+.-]+", "_", text).strip("_.-+")[:LONGEST_NAME] or "target"


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
