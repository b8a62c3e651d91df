"""Files that appear whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pdebench.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(file: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``file``; when the block ends well, sync it and rename it to
    ``file``.

    A reader, a kill or a full disk never meets half a file: after an error nothing is left behind.
    Raises StoreError, with the free bytes where the disk is full.
    """
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno in _FULL:
            free = shutil.disk_usage(file.parent).free
            raise StoreError(
                f"cannot write '{file}': the disk is full ({free} bytes free); free space or "
                "choose another folder"
            ) from error
        raise StoreError(
            f"cannot write '{file}': {error.strerror or error}; choose a writable folder"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomically(file: Path, content: bytes) -> None:
    """Write ``content`` to ``file`` by way of `atomic_path`."""
    with atomic_path(file) as partial:
        partial.write_bytes(content)
