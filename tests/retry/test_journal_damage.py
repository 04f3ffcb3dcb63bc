"""Torn, cut, stale and foreign files: every committed row, or a clear refusal; never silently short.

`TORN_FILES=400 pytest tests/retry/test_journal_damage.py` breaks more of them.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.audit import verify
from retry_toolkit.retry.journal import BatchRow, Item, Journal
from retry_toolkit.sqlite import connect_sqlite, sqlite_driver
from tests.faults.sizes import fast_home
from tests.retry.journals import ME, op, planned

TORN_FILES = int(os.environ.get("TORN_FILES", "60"))
PAGE = 4096
MAIN, WAL, SHM, ANCHOR = "journal.db", "journal.db-wal", "journal.db-shm", "journal.anchor"

Files = dict[str, bytes]


@dataclass(frozen=True)
class Killed:
    """The files that a killed process left: commits in the main file, and younger ones in the write-ahead log.

    `stale` are the same files as they were some commits before.
    """

    files: Files
    stale: Files
    items: list[Item]
    batches: list[BatchRow]
    rows: int


@pytest.fixture(scope="module")
def killed() -> Killed:
    """Made once: copies of the files are broken."""
    with fast_home() as home:
        with Journal.open(home) as journal:
            _work(journal, 0)
        with Journal.open(home) as journal:
            _work(journal, 100)
            stale = _files(home)
            _work(journal, 200)
            files = _files(home)
            items, batches = journal.items(), journal.batches()
        return Killed(files, stale, items, batches, verify(home).rows)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home directory in memory."""
    with fast_home() as made:
        yield made


def _work(journal: Journal, first: int) -> None:
    """A batch of 40 with answers short and long, and one that is cancelled."""
    batch = planned(journal, *range(first, first + 40))
    for number in range(first, first + 30):
        journal.claim(op(number), batch.batch_id, actor=ME)
        if number % 3:
            journal.settle(op(number), "ACCEPTED" if number % 2 else "REJECTED", detail="word " * (number % 7) ** 5)
    journal.set_batch_state(planned(journal, *range(first + 50, first + 60)).batch_id, "cancelled", actor=ME)


def _files(home: Path) -> Files:
    return {name: (home / name).read_bytes() for name in (MAIN, WAL, SHM, ANCHOR) if (home / name).exists()}


def _write(home: Path, files: Files) -> None:
    for name, content in files.items():
        (home / name).write_bytes(content)


def _cut(content: bytes, dice: random.Random) -> bytes:
    """Shorter, at a page's end or anywhere."""
    at = dice.randrange(len(content))
    return content[: at - at % PAGE if dice.random() < 0.5 else at]


def _overwritten(content: bytes, dice: random.Random) -> bytes:
    """As long, with a run of noise or zeros."""
    at, length = dice.randrange(len(content)), dice.choice([1, 16, 512, PAGE, 3 * PAGE])
    run = dice.randbytes(length) if dice.random() < 0.7 else bytes(length)
    return (content[:at] + run + content[at + length :])[: len(content)]


def _mixed(content: bytes, older: bytes, dice: random.Random) -> bytes:
    """Some pages as they were before."""
    pages = dice.sample(range(len(older) // PAGE), k=min(dice.choice([1, 2, 5]), len(older) // PAGE))
    for page in pages:
        content = content[: page * PAGE] + older[page * PAGE : (page + 1) * PAGE] + content[(page + 1) * PAGE :]
    return content


def _merged(files: Files) -> Files:
    """The same journal with everything in its main file."""
    with fast_home() as home:
        _write(home, files)
        Journal.open(home).close()
        return _files(home)


Break = Callable[[Killed, random.Random], Files]

BREAKS: dict[str, Break] = {
    "main file cut": lambda was, dice: was.files | {MAIN: _cut(was.files[MAIN], dice)},
    "log cut": lambda was, dice: was.files | {WAL: _cut(was.files[WAL], dice)},
    "log gone": lambda was, dice: {name: was.files[name] for name in (MAIN, ANCHOR)},
    "main file gone": lambda was, dice: {name: was.files[name] for name in (WAL, ANCHOR)},
    "main file emptied": lambda was, dice: was.files | {MAIN: b""},
    "both cut": lambda was, dice: was.files | {name: _cut(was.files[name], dice) for name in (MAIN, WAL)},
    "noise in main file": lambda was, dice: was.files | {MAIN: _overwritten(was.files[MAIN], dice)},
    "noise in log": lambda was, dice: was.files | {WAL: _overwritten(was.files[WAL], dice)},
    "noise in index": lambda was, dice: was.files | {SHM: dice.randbytes(len(was.files[SHM]))},
    "noise in anchor": lambda was, dice: was.files | {ANCHOR: _overwritten(was.files[ANCHOR], dice)},
    "anchor cut": lambda was, dice: was.files | {ANCHOR: _cut(was.files[ANCHOR], dice)},
    "anchor gone": lambda was, dice: {name: was.files[name] for name in (MAIN, WAL)},
    "older log": lambda was, dice: was.files | {WAL: was.stale[WAL]},
    "older everything but the anchor": lambda was, dice: was.stale | {ANCHOR: was.files[ANCHOR]},
    "merged, then cut": lambda was, dice: (whole := _merged(was.files)) | {MAIN: _cut(whole[MAIN], dice)},
    "merged, then noise": lambda was, dice: (whole := _merged(was.files)) | {MAIN: _overwritten(whole[MAIN], dice)},
    "merged, with older pages": lambda was, dice: (
        (whole := _merged(was.files)) | {MAIN: _mixed(whole[MAIN], _merged(was.stale)[MAIN], dice)}
    ),
}


def _outcome(home: Path, was: Killed) -> str:
    """`whole` when everything is there, else `refused`; fails when something is missing or wrong without a word."""
    try:
        with Journal.open(home) as journal:
            items, batches = journal.items(), journal.batches()
    except JournalError as error:
        clear = bool(error.advice) and (str(home) in error.message or "journal is damaged" in error.message)
        return "refused" if clear else f"unclear: {error}"
    assert (items, batches) == (was.items, was.batches)
    report = verify(home)
    assert not report.ok or report.rows == was.rows
    return "whole"


@pytest.mark.parametrize("seed", range(TORN_FILES))
def test_a_broken_journal_is_whole_or_refused(home: Path, killed: Killed, seed: int) -> None:
    """Whatever is broken, opening gives every committed row or says that it cannot."""
    dice = random.Random(seed)
    kind = list(BREAKS)[seed % len(BREAKS)]
    _write(home, BREAKS[kind](killed, dice))
    assert _outcome(home, killed) in {"whole", "refused"}


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("log gone", "refused"),
        ("main file gone", "refused"),
        ("main file emptied", "refused"),
        ("anchor gone", "refused"),
        ("older log", "refused"),
        ("older everything but the anchor", "refused"),
        ("noise in index", "whole"),
    ],
)
def test_what_must_happen(home: Path, killed: Killed, kind: str, outcome: str) -> None:
    """A lost file is always noticed; the shared index holds nothing that is not elsewhere."""
    _write(home, BREAKS[kind](killed, random.Random(0)))
    assert _outcome(home, killed) == outcome


def test_what_a_killed_process_left_is_whole(home: Path, killed: Killed) -> None:
    """The untouched files open with everything, though the log was never merged."""
    assert len(killed.files[WAL]) > 100 * PAGE
    _write(home, killed.files)
    assert _outcome(home, killed) == "whole"
    assert verify(home).ok


def test_every_cut_of_the_last_commits_is_refused(home: Path, killed: Killed) -> None:
    """Each of the last frames of the log, cut or not: what was told is never missing without a word."""
    log = killed.files[WAL]
    outcomes = Counter[str]()
    for frames in range(1, 13):
        for name in (MAIN, WAL, SHM):
            (home / name).unlink(missing_ok=True)
        _write(home, killed.files | {WAL: log[: -frames * (PAGE + 24)]})
        (home / SHM).unlink()
        outcomes[_outcome(home, killed)] += 1
    assert outcomes == {"refused": 12}


@pytest.mark.parametrize("main", [b"", None])
def test_what_could_still_be_rescued_is_left_alone(home: Path, killed: Killed, main: bytes | None) -> None:
    """SQLite deletes the log of an empty database: it is not even asked, so that the main file can be put back."""
    _write(home, {WAL: killed.files[WAL], ANCHOR: killed.files[ANCHOR]} | ({} if main is None else {MAIN: main}))
    with pytest.raises(JournalError, match="it is empty or gone, and entries were written"):
        Journal.open(home)
    assert (home / WAL).read_bytes() == killed.files[WAL]
    _write(home, {MAIN: killed.files[MAIN]})
    assert _outcome(home, killed) == "whole"


def test_a_database_without_tables_is_not_filled_anew(home: Path, killed: Killed) -> None:
    """A file that was replaced by an empty database: no new journal is begun in it."""
    with closing(connect_sqlite(home / MAIN)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("DROP TABLE t")
    _write(home, {ANCHOR: killed.files[ANCHOR]})
    with pytest.raises(JournalError, match="it is empty, and entries were written"):
        Journal.open(home)
    with closing(connect_sqlite(home / MAIN)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_an_index_that_lost_an_intent_is_refused(home: Path, killed: Killed) -> None:
    """One digit of an op_id in the unique index alone: every row can be read, and the intent could be planned twice."""
    whole = _merged(killed.files)
    pages = [whole[MAIN][at : at + PAGE] for at in range(0, len(whole[MAIN]), PAGE)]
    name = op(3).encode()
    leaf_of_an_index = b"\x0a"
    hits = [at for at, page in enumerate(pages) if page.startswith(leaf_of_an_index) and name in page]
    assert len(hits) == 1
    pages[hits[0]] = pages[hits[0]].replace(name, name[:-1] + (b"0" if name[-1:] != b"0" else b"1"))
    _write(home, whole | {MAIN: b"".join(pages)})
    with pytest.raises(JournalError, match="missing from index one_current_item"):
        Journal.open(home)


def test_a_lost_anchor_step_is_taken_up_again(home: Path, killed: Killed) -> None:
    """A process that died before it moved the anchor refuses nothing, and the next opening moves it."""
    _write(home, killed.files | {ANCHOR: killed.stale[ANCHOR]})
    assert _outcome(home, killed) == "whole"
    assert (home / ANCHOR).read_bytes().split()[0:1] != killed.stale[ANCHOR].split()[0:1]
    with fast_home() as other:
        _write(other, {MAIN: killed.stale[MAIN], WAL: killed.stale[WAL], ANCHOR: (home / ANCHOR).read_bytes()})
        assert _outcome(other, killed) == "refused"


def test_a_new_home_has_an_empty_journal(home: Path) -> None:
    """Nothing, an empty file, and a start that was cut short are all a fresh beginning."""
    for files in ({}, {MAIN: b""}, {MAIN: b"", ANCHOR: b""}):
        shutil.rmtree(home)
        home.mkdir()
        _write(home, files)
        with Journal.open(home) as journal:
            assert journal.batches() == []


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["PRAGMA user_version = 2"], "has version 2, and this program knows 1"),
        (["PRAGMA application_id = 1"], "no file of this program"),
        (["DROP INDEX one_current_item"], "tables are not as they were made"),
        (["DROP TRIGGER audit_keeps_rows"], "tables are not as they were made"),
        (["DELETE FROM items WHERE id = 1"], "items are missing"),
        (["PRAGMA foreign_keys = OFF", "DELETE FROM batches WHERE id = 1"], "a batch is missing"),
        (["UPDATE batches SET state = 'done', audit_seq = 1 WHERE id = 1"], "a batch is not as the audit trail says"),
        (["UPDATE items SET digest = 'x' WHERE state = 'SENT'"], "an item is not as the audit trail says"),
        (["UPDATE items SET audit_seq = 0, state = 'PLANNED' WHERE state = 'SENT'"], "an item is not as"),
    ],
)
def test_what_does_not_agree_is_refused(home: Path, statements: list[str], words: str) -> None:
    """A newer version, a foreign file, tables or rows that were changed by hand: each is said for what it is."""
    with Journal.open(home) as journal:
        _work(journal, 0)
    connection = sqlite_driver().connect(str(home / MAIN), isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    with pytest.raises(JournalError, match=words):
        Journal.open(home)


def test_a_row_that_was_changed_by_hand_is_never_claimed(home: Path) -> None:
    """An item that was made PLANNED again behind our back is not sent, though the journal was open already."""
    with Journal.open(home) as journal:
        batch = planned(journal, 1)
        journal.claim(op(1), batch.batch_id, actor=ME)
        connection = sqlite_driver().connect(str(home / MAIN), isolation_level=None)
        connection.execute("UPDATE items SET state = 'PLANNED'")
        connection.close()
        with pytest.raises(JournalError, match="item 1 is not as it was written") as refused:
            journal.claim(op(1), batch.batch_id, actor=ME)
        assert str(home / MAIN) in refused.value.message


@pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\0" + bytes(84), bytes(5000), os.urandom(9000)])
def test_a_foreign_file_is_refused(home: Path, content: bytes) -> None:
    """What is no database is not overwritten."""
    (home / MAIN).write_bytes(content)
    with pytest.raises(JournalError, match=r"journal\.db"):
        Journal.open(home)
    assert (home / MAIN).read_bytes() == content


def test_a_directory_in_the_way_is_said(home: Path) -> None:
    """A path that cannot be opened or made is one clear error."""
    (home / MAIN).mkdir()
    with pytest.raises(JournalError, match="cannot be used: Is a directory"):
        Journal.open(home)
    (home / "file").touch()
    with pytest.raises(JournalError, match="cannot be made"):
        Journal.open(home / "file" / "home")
