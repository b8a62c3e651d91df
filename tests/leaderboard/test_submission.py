"""Submissions: what was packed comes back; what was changed, or cannot be, does not get in."""

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt

from pdebench.errors import StoreError
from pdebench.harness.record import Record
from pdebench.harness.store import Store
from pdebench.leaderboard import accept, build, command, submit, write
from pdebench.leaderboard.submission import MANIFEST, Entry, pack, unpack
from pdebench.leaderboard.trust import foreign_targets

TASK = "navier_stokes/evolve"
HOSTILE = '<img src=x onerror=alert(1)>|`x`[l](javascript:1)"); rm -rf $(HOME)'
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def sound(record) -> Record:
    made = record(task=TASK)
    return replace(made, config=made.config | {"store": "/home/me/store", "data": "/home/me/data"})


def packed(folder: Path, *records: Record, arrays: dict[str, Any] | None = None) -> Path:
    file = folder / "submission.zip"
    entries = [Entry(r, r.device, arrays or {}) for r in records]
    file.write_bytes(pack(entries, "0.1.0", "2026-05-01T12:00:00+00:00", "me", "a note"))
    return file


def repacked(file: Path, members: dict[str, bytes], listed: bool = True) -> Path:
    """Write members under a manifest whose digests are right: only content is at fault."""
    digests = [{"name": n, "sha256": hashlib.sha256(c).hexdigest()} for n, c in members.items()]
    manifest = {"kind": "pdebench submission", "schema": 1, "suite": "0.1.0", "created": ""}
    head = json.dumps(manifest | {"members": digests if listed else []}).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ((MANIFEST, head), *members.items()):
            archive.writestr(name, content)
    return file


def taken(file: Path, store: Path, *more: str) -> int:
    return accept.main([str(file), "--store", str(store), "--data", str(store / "none"), *more])


def test_what_was_submitted_is_what_is_accepted(tmp_path: Path, sound: Record) -> None:
    mine, theirs = Store(tmp_path / "mine"), Store(tmp_path / "theirs")
    mine.put(sound, "cpu")
    arrays = {"test/relative_l2": np.arange(6, dtype=np.float32).reshape(2, 3)}
    np.savez_compressed(mine.arrays(sound.id, "cpu"), **arrays)
    file = tmp_path / "s.zip"
    assert submit.main(["--store", str(mine.root), "--out", str(file)]) == 0
    assert taken(file, theirs.root) == 0
    (found,) = theirs
    assert replace(found, config={}) == replace(sound, config={})
    with np.load(theirs.arrays(sound.id, "cpu"), allow_pickle=False) as stored:
        again = stored["test/relative_l2"]
    assert again.dtype == np.float32 and (again == arrays["test/relative_l2"]).all()
    (receipt,) = (theirs.root / "submissions").iterdir()
    assert json.loads(receipt.read_text())["records"] == [f"{sound.id}.cpu"]


def test_folders_of_the_sender_are_left_out(tmp_path: Path, sound: Record) -> None:
    _, (entry,) = unpack(packed(tmp_path, sound))
    assert entry.record.config["store"] is None and entry.record.config["data"] is None


def test_the_same_records_give_the_same_bytes(tmp_path: Path, sound: Record) -> None:
    assert packed(tmp_path, sound).read_bytes() == packed(tmp_path, sound).read_bytes()


def test_submission_holds_json_and_no_pickle(tmp_path: Path, sound: Record) -> None:
    with zipfile.ZipFile(packed(tmp_path, sound, arrays={"x": np.zeros(2)})) as archive:
        assert all(json.loads(archive.read(name)) for name in archive.namelist())


def test_dry_run_adds_nothing(tmp_path: Path, sound: Record) -> None:
    assert taken(packed(tmp_path, sound), tmp_path / "store", "--dry-run") == 0
    assert not (tmp_path / "store").exists()


def test_what_is_here_is_never_overwritten(tmp_path: Path, sound: Record, capsys) -> None:
    store = Store(tmp_path / "store")
    store.put(sound, "cpu")
    better = replace(sound, scores={"test": {"relative_l2": {"values": [0.0, 0.0]}}})
    assert taken(packed(tmp_path, better), store.root) == 0
    assert "1 kept as ours" in capsys.readouterr().out
    assert store.get(sound.id, "cpu") == sound


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": {"name": "no/such"}}, "which no installed plugin ships"),
        ({"task": {"version": "7"}}, "version '7'"),
        ({"task": {"track": "huge"}}, "track 'huge'"),
        ({"task": {"digest": "abc"}}, "64 hexadecimal digits"),
        ({"task": {"headline": "other"}}, "no metric 'other'"),
        ({"task": {"metrics": [1]}}, "another shape|no metric"),
        ({"scores": {"test": {"relative_l2": {"values": [-0.1, 0.2]}}}}, "negative"),
        ({"scores": {"test": {"relative_l2": {"values": ["a", 0.2]}}}}, "no list of numbers"),
        ({"scores": {"test": {"magic": {"values": [0.1]}}}}, "does not list"),
        ({"scores": {"test": {"relative_l2": {}}}}, "neither values nor a reason"),
        ({"scores": {}}, "ok without scores"),
        ({"costs": {"solve": {"seconds": -1.0}}}, "no positive finite numbers"),
        ({"costs": {"solve": {"seconds": 1.0, "low": 2.0}}}, "outside its interval"),
        ({"costs": {"solve": {"seconds": 1.0, "batch": 0}}}, "batch 0"),
        ({"costs": {"solve": {"seconds": 0}}}, "without the seconds"),
        ({"status": "failed", "reason": None}, "without a reason"),
        ({"uses": ["answers"]}, "uses"),
        ({"seed": -1}, "negative"),
        ({"created": "yesterday"}, "ISO 8601"),
        ({"created": "2999-01-01T00:00:00+00:00"}, "future"),
        ({"solver": {"name": "a\u202eb"}}, "control characters"),
        ({"solver": {"name": "x" * 30_000}}, "30000 characters"),
        ({"environment": {"device": "cuda"}}, "was measured on 'cuda'"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, sound: Record, capsys, changes: dict[str, Any], said: str
) -> None:
    merged = {
        key: getattr(sound, key) | value
        if isinstance(value, dict) and key in ("task", "solver", "environment")
        else value
        for key, value in changes.items()
    }
    content = replace(sound, **merged).to_json().encode()
    name = f"records/{sound.id}.cpu.json"
    assert taken(repacked(tmp_path / "s.zip", {name: content}), tmp_path / "store") == 1
    assert re.search(said, capsys.readouterr().err)
    assert not (tmp_path / "store").exists()


def test_one_refusal_keeps_all_out(tmp_path: Path, sound: Record, record) -> None:
    bad = replace(record("other", task=TASK), seed=-3)
    assert taken(packed(tmp_path, sound, bad), tmp_path / "store") == 1
    assert not (tmp_path / "store").exists()


def test_other_data_than_ours_is_refused(tmp_path: Path, sound: Record, monkeypatch) -> None:
    recipe = {"task": {"dataset": {"_target_": "x.Y"}}}
    monkeypatch.setattr("pdebench.leaderboard.trust.known_digest", lambda *_: "e" * 64)
    file = packed(tmp_path, replace(sound, config=recipe))
    assert taken(file, tmp_path / "store") == 1
    assert taken(file, tmp_path / "store", "--any-data") == 0


def members(sound: Record) -> dict[str, bytes]:
    return {f"records/{sound.id}.cpu.json": sound.to_json().encode()}


def array(**changes: Any) -> bytes:
    one = {"dtype": "<f8", "shape": [1], "base64": base64.b64encode(b"\0" * 8).decode()}
    return json.dumps({"x": one | changes}).encode()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"../../evil.json": b"{}"}, "no place"),
        ({"/etc/passwd": b"{}"}, "no place"),
        ({"records/x.py": b"{}"}, "no place"),
        ({f"records/{'0' * 64}.cpu.json": b"[" * 100_000}, "no JSON"),
        ({f"records/{'0' * 64}.cpu.json": b"{}"}, "schema None"),
        ({f"records/{'0' * 64}.cpu.json": b'{"a": 1, "a": 2}'}, "twice"),
        ({f"arrays/{'0' * 64}.cpu.json": b"{}"}, "no record"),
        ({"arrays/ID.cpu.json": array(dtype="|O8")}, "no plain number"),
        ({"arrays/ID.cpu.json": array(shape=[10**12])}, "reshape"),
        ({"arrays/ID.cpu.json": array(base64="!")}, "arrays/"),
    ],
)
def test_foreign_members_are_refused(
    tmp_path: Path, sound: Record, more: dict[str, bytes], said: str
) -> None:
    extra = {name.replace("ID", sound.id): content for name, content in more.items()}
    with pytest.raises(StoreError, match=said):
        unpack(repacked(tmp_path / "s.zip", members(sound) | extra))


def test_record_under_another_id_is_refused(tmp_path: Path, sound: Record) -> None:
    moved = {f"records/{'0' * 64}.cpu.json": sound.to_json().encode()}
    with pytest.raises(StoreError, match="holds run"):
        unpack(repacked(tmp_path / "s.zip", moved))


def test_wrong_types_are_refused_by_name(tmp_path: Path, sound: Record) -> None:
    content = json.loads(sound.to_json()) | {"parameters": "many"}
    wrong = {f"records/{sound.id}.cpu.json": json.dumps(content).encode()}
    with pytest.raises(StoreError, match="parameters: Input should be a valid integer"):
        unpack(repacked(tmp_path / "s.zip", wrong))


def test_changed_or_unlisted_content_is_refused(tmp_path: Path, sound: Record) -> None:
    file = packed(tmp_path, sound)
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    name = f"records/{sound.id}.cpu.json"
    contents[name] = contents[name].replace(b"0.1,", b"0.0,")
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
    with pytest.raises(StoreError, match="SHA-256"):
        unpack(file)
    with pytest.raises(StoreError, match="other members"):
        unpack(repacked(file, members(sound), listed=False))


def test_member_that_is_there_twice_is_refused(tmp_path: Path, sound: Record) -> None:
    file = packed(tmp_path, sound)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(MANIFEST, "{}")
    with pytest.raises(StoreError, match="twice"):
        unpack(file)


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, sound: Record) -> None:
    bomb = {f"arrays/{sound.id}.cpu.json": bytes(65 << 20)}
    file = repacked(tmp_path / "s.zip", members(sound) | bomb)
    assert file.stat().st_size < 1 << 20
    with pytest.raises(StoreError, match="unpacks to"):
        unpack(file)


def test_size_that_lies_gives_no_more_than_it_states(tmp_path: Path, sound: Record) -> None:
    file = packed(tmp_path, sound)
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo(MANIFEST).file_size
    # the central directory's own size of the manifest, not that of the data
    at = content.find(size.to_bytes(4, "little"), content.find(b"PK\1\2"))
    content[at : at + 4] = (size - 9).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(StoreError):
        unpack(file)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no zip", b"{}"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(StoreError, match="is no submission"):
        unpack(tmp_path / "s.zip")


def test_hostile_names_and_values_stay_text(tmp_path: Path, sound: Record) -> None:
    evil = replace(
        sound,
        solver=sound.solver | {"name": HOSTILE, "plugin": "../../x", "version": HOSTILE},
        environment=sound.environment | {"processor": HOSTILE},
        versions={HOSTILE: HOSTILE},
    )
    store = tmp_path / "store"
    assert taken(packed(tmp_path, evil), store) == 0
    out = tmp_path / "board"
    assert command.main(["--store", str(store), "--out", str(out)]) == 0
    page, lines = (out / "index.html").read_text(), next(out.rglob("*.md")).read_text()
    assert "<img src=x" not in page
    shown = MarkdownIt("commonmark").enable("table").render(lines)
    assert "<img" not in shown and "href" not in shown
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert names == {"index.html", *(f"{TASK}/tiny.{e}" for e in ("jsonl", "md", "svg"))}
    stored = {p.relative_to(store).parts[0] for p in store.rglob("*")}
    assert stored == {"records", "submissions", "locks"}


def test_svg_and_page_of_accepted_board_have_no_script_of_theirs(
    tmp_path: Path, sound: Record
) -> None:
    evil = replace(sound, solver=sound.solver | {"name": "</script><script>alert(1)</script>"})
    write(build([evil]), tmp_path)
    for file in tmp_path.rglob("*.*"):
        text = file.read_text()
        if file.suffix in (".html", ".svg"):
            assert "<script>alert" not in text


def test_classes_that_no_plugin_ships_are_foreign() -> None:
    config = {"solver": {"_target_": "os.system", "command": "true"}, "task": {}}
    assert foreign_targets(config) == ["os.system"]
    assert foreign_targets({"solver": {"_target_": "pdebench.baselines.mean.Mean"}}) == []
