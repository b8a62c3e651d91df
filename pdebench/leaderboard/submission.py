"""A submission: records of one machine in one file, that another can take in without trusting it.

A zip of JSON and nothing else: ``submission.json`` lists every other member with its SHA-256,
``records/<id>.<device>.json`` are the records with environment, versions and configuration,
``arrays/<id>.<device>.json`` the small arrays beside them, as base64 of little-endian numbers.
Nothing is unpickled, extracted to a path that the file names, or executed.
"""

import base64
import binascii
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, final, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from pdebench.errors import StoreError
from pdebench.harness.record import Record

SCHEMA = 1
MANIFEST = "submission.json"
MEMBERS = 20_001  # a manifest and the records and arrays of ten thousand runs
MEMBER_BYTES = 64 << 20  # of one member, unpacked
TOTAL_BYTES = 1 << 30  # of all members, unpacked
_NAME = re.compile(r"(records|arrays)/[0-9a-f]{64}\.(cpu|cuda)\.json")
_NUMBERS = re.compile(r"[<|][fiu][1248]")
_PLACES = ("store", "data")  # folders of the sender's machine

Arrays = dict[str, np.ndarray[Any, Any]]


@final
@dataclass(frozen=True)
class Member:
    """One file of a submission, with the SHA-256 of its content."""

    name: str
    sha256: str


@final
@dataclass(frozen=True)
class Manifest:
    """What a submission says of itself: who sent it, with which version of the suite, and what."""

    kind: Literal["pdebench submission"]
    schema: int
    suite: str
    created: str
    members: list[Member]
    submitter: str = ""
    note: str = ""


@final
@dataclass(frozen=True)
class Entry:
    """One record of a submission with its arrays."""

    record: Record
    device: str
    arrays: Arrays = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``<id>.<device>``, as files of a store are named."""
        return f"{self.record.id}.{self.device}"


def pack(
    entries: Iterable[Entry], suite: str, created: str, submitter: str = "", note: str = ""
) -> bytes:
    """Return the file of a submission; the same entries always give the same bytes.

    Paths of the sender's machine (``store``, ``data``) are left out of the configuration.
    """
    contents: dict[str, bytes] = {}
    for entry in entries:
        config = {k: None if k in _PLACES else v for k, v in entry.record.config.items()}
        record = replace(entry.record, config=config)
        contents[f"records/{entry.name}.json"] = record.to_json().encode()
        if entry.arrays:
            contents[f"arrays/{entry.name}.json"] = json.dumps(_packed(entry.arrays)).encode()
    members = [{"name": n, "sha256": _sha256(c)} for n, c in sorted(contents.items())]
    manifest = {"kind": "pdebench submission", "schema": SCHEMA, "suite": suite} | {
        "created": created,
        "submitter": submitter,
        "note": note,
        "members": members,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [(MANIFEST, json.dumps(manifest).encode()), *sorted(contents.items())]:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(file: Path) -> tuple[Manifest, list[Entry]]:
    """Return what a submission says and holds.

    Raises StoreError, with every reason, where the file is no submission: foreign or repeated
    names, members that unpack to more than they may, digests or fields that do not fit.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            contents = dict(_members(archive))
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise StoreError(
            f"'{file}' is no submission: {error}; make one with 'pdebench submit'"
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise StoreError(f"'{file}' cannot be unpacked: {error}") from error
    manifest = _manifest(contents.pop(MANIFEST))
    if manifest.schema != SCHEMA:
        raise StoreError(f"'{file}' has schema {manifest.schema}, this version reads {SCHEMA}")
    stated = {member.name: member.sha256 for member in manifest.members}
    if len(stated) != len(manifest.members) or set(stated) != set(contents):
        raise StoreError(f"'{file}' holds other members than its {MANIFEST} lists")
    changed = [name for name, content in contents.items() if _sha256(content) != stated[name]]
    if changed:
        raise StoreError(f"'{file}': {changed[0]} has not the SHA-256 that {MANIFEST} states")
    return manifest, _entries(contents)


def _manifest(content: bytes) -> Manifest:
    _json(content, MANIFEST)  # refuses what stands twice
    try:
        return TypeAdapter(Manifest).validate_json(content, strict=True, extra="forbid")
    except ValidationError as error:
        raise StoreError(_first(error, MANIFEST)) from error


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every member; nothing is read before all names and sizes fit."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if MANIFEST not in names:
        raise zipfile.BadZipFile(f"it holds no {MANIFEST}")
    if len(members) > MEMBERS:
        raise zipfile.BadZipFile(f"{len(members)} members, expected at most {MEMBERS}")
    if len(set(names)) < len(names):
        raise zipfile.BadZipFile("a member's name is there twice")
    foreign = [name for name in names if name != MANIFEST and not _NAME.fullmatch(name)]
    if foreign:
        raise zipfile.BadZipFile(f"member {foreign[0][:100]!r} has no place in a submission")
    largest, total = max(m.file_size for m in members), sum(m.file_size for m in members)
    if largest > MEMBER_BYTES or total > TOTAL_BYTES:
        raise zipfile.BadZipFile(
            f"it unpacks to {total} bytes ({largest} in one member), expected at most "
            f"{TOTAL_BYTES} ({MEMBER_BYTES})"
        )
    for member in members:
        with archive.open(member) as stream:  # never gives more than the stated size
            yield member.filename, stream.read(member.file_size)


def _entries(contents: dict[str, bytes]) -> list[Entry]:
    entries: list[Entry] = []
    for name, content in sorted(contents.items()):
        folder, _, file = name.partition("/")
        if folder != "records":
            if f"records/{file}" not in contents:
                raise StoreError(f"{name} belongs to no record")
            continue
        record = _record(content, name)
        run_id, device, _ = file.split(".")
        if record.id != run_id:
            raise StoreError(f"{name} holds run {record.id[:12]!r}")
        arrays = contents.get(f"arrays/{file}")
        entries.append(Entry(record, device, _unpacked(arrays, f"arrays/{file}") if arrays else {}))
    return entries


def _record(content: bytes, name: str) -> Record:
    _json(content, name)
    try:
        record = Record.from_json(content.decode())
    except (StoreError, UnicodeDecodeError) as error:
        raise StoreError(f"{name}: {error}") from error
    for field_name, adapter in _types().items():
        try:
            adapter.validate_python(getattr(record, field_name), strict=True)
        except ValidationError as error:
            raise StoreError(_first(error, f"{name}: {field_name}")) from error
    return record


@cache
def _types() -> dict[str, TypeAdapter[Any]]:
    """One check per field: as a whole, strict checks take no mapping for a record."""
    return {key: TypeAdapter(hint) for key, hint in get_type_hints(Record).items()}


def _json(content: bytes, name: str) -> Any:
    """Parse JSON; a key that stands twice is refused, for readers differ in which one counts."""
    try:
        return json.loads(content, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{name} is no JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _first(error: ValidationError, name: str) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join([name, *(ascii(part)[:40] for part in first["loc"])])
    return f"{where}: {first['msg']} ({error.error_count()} in all)"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _packed(arrays: Arrays) -> dict[str, Any]:
    done: dict[str, Any] = {}
    for name, array in arrays.items():
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        data = base64.b64encode(plain.tobytes()).decode("ascii")
        done[name] = {"dtype": plain.dtype.str, "shape": list(array.shape), "base64": data}
    return done


def _unpacked(content: bytes, name: str) -> Arrays:
    done: Arrays = {}
    packed = _json(content, name)
    try:
        for key, one in packed.items():
            if not _NUMBERS.fullmatch(one["dtype"]):
                raise ValueError(f"dtype {str(one['dtype'])[:20]!r} is no plain number")
            if not re.fullmatch(r"[A-Za-z0-9_./@-]{1,200}", key) or ".." in key:
                raise ValueError(f"{key[:40]!r} is no name of an array")
            flat = np.frombuffer(base64.b64decode(one["base64"], validate=True), one["dtype"])
            done[key] = flat.reshape([int(n) for n in one["shape"]])
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise StoreError(f"{name}: {error}") from error
    return done
