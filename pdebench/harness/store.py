"""Where records live: one JSON file per run and device, written atomically, claimed by a lock the
kernel releases.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from pdebench.atomic import write_atomically
from pdebench.errors import StoreError
from pdebench.harness.record import Record


def _checked(run_id: str) -> str:
    if len(run_id) != 64 or not set(run_id) <= set("0123456789abcdef"):
        raise StoreError(f"{run_id!r} is no run id, expected 64 hexadecimal digits")
    return run_id


@final
class Store:
    """A folder of records: ``records/ab/<id>.<device>.json``, arrays beside it as ``.npz``, fitted
    state under ``fits``.

    Writers write a temporary file and rename it; a claim is an ``flock`` on ``locks/<id>``, so a
    killed worker's claim ends with its process.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if root.exists() and not root.is_dir():
            raise StoreError(
                f"store='{root}' is a file, expected a folder (or a name to create one)"
            )

    def path(self, run_id: str, device: str) -> Path:
        """The file of a record; ``device`` is its kind, "cpu" or "cuda"."""
        return self.root / "records" / _checked(run_id)[:2] / f"{run_id}.{device}.json"

    def arrays(self, run_id: str, device: str) -> Path:
        """The file of a record's arrays (scores over time, example fields)."""
        return self.path(run_id, device).with_suffix(".npz")

    def workspace(self, run_id: str) -> Path:
        """The folder where a fit keeps its resume point and its weights."""
        return self.root / "fits" / _checked(run_id)[:2] / run_id

    def get(self, run_id: str, device: str) -> Record | None:
        """Return the record, or None. Raises StoreError naming the file if it is damaged."""
        file = self.path(run_id, device)
        return self.read(file) if file.exists() else None

    def put(self, record: Record, device: str) -> Path:
        """Write the record; either the whole file is there afterwards or the old state."""
        file = self.path(record.id, device)
        write_atomically(file, record.to_json().encode() + b"\n")
        return file

    def files(self) -> Iterator[Path]:
        """The files of all records, in order of their ids."""
        yield from sorted((self.root / "records").glob("*/*.json"))

    def read(self, file: Path) -> Record:
        """Return the record in ``file``. Raises StoreError naming the file if it is damaged."""
        try:
            return Record.from_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, StoreError) as error:
            raise StoreError(f"'{file}': {error}; delete it to run again") from error

    def __iter__(self) -> Iterator[Record]:
        return map(self.read, self.files())

    @contextmanager
    def claim(self, run_id: str, device: str, wait: bool = True) -> Iterator[int | None]:
        """Hold the run's lock inside the block; yields its descriptor, or None at once where
        ``wait`` is False and another holds it.

        The kernel releases the lock when the last process that has the descriptor ends, however it
        ends: no claim outlives its worker. Raises StoreError where the file system has no locks.
        """
        file = self.lock(run_id, device)
        file.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with file.open("a+") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                except BlockingIOError:
                    yield None
                    return
                except OSError as error:
                    raise StoreError(
                        f"store='{self.root}' lies on a file system without locks "
                        f"({error.strerror}); choose another folder, or mount it with flock"
                    ) from error
                if not _same_file(stream.fileno(), file):
                    continue  # collected between open and lock: take the new one
                stream.truncate(0)
                stream.write(f"{socket.gethostname()} {os.getpid()}\n")
                stream.flush()
                yield stream.fileno()
                return

    def lock(self, run_id: str, device: str) -> Path:
        """The lock file of a run; its content says which process took it last."""
        return self.root / "locks" / f"{_checked(run_id)}.{device}"


def _same_file(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
