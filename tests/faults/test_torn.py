"""Journals that lost bytes: opened with every committed row, or refused with words that help; never silently short."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.records import Intent, Item
from tests.faults.sizes import SEED, SIZES, fast_home

pytestmark = pytest.mark.faults

ORIGIN = "http://127.0.0.1:8642"
FILES = ("journal.db", "journal.db-wal", "journal.anchor")
Damage = Callable[[random.Random, Path, list[Path]], None]


def images_of_a_life(home: Path, directory: Path) -> list[Path]:
    """Copies of a journal's files at moments of its life, as a power failure could leave them, oldest first."""
    images: list[Path] = []

    def take_image() -> None:
        images.append(directory / f"{len(images):03d}")
        shutil.copytree(home, images[-1])

    with Journal.open(home) as journal:
        for number in range(6):
            intents = [
                Intent(origin=ORIGIN, task_id=f"task-{number}-{each}", action="stage", attempt=0, stage_id="s")
                for each in range(25)
            ]
            batch = journal.create_batch(f"plan-{number}", ORIGIN, "stage", intents, actor="tests")
            for intent in intents[:20]:
                journal.claim(intent.op_id, batch.batch_id, actor="tests")
            take_image()
            for intent in intents[:15]:
                journal.settle(intent.op_id, "ACCEPTED", detail="as the platform says " * 20, attempt_after=1)
            take_image()
    take_image()
    return images


def items_of(home: Path) -> list[Item]:
    """Everything that a journal says."""
    with Journal.open(home) as journal:
        return journal.items()


def items_or_refusal(home: Path) -> list[Item] | JournalError:
    """Everything that a journal says, or why it is not believed."""
    try:
        return items_of(home)
    except JournalError as error:
        return error


def cut(chance: random.Random, home: Path, older: list[Path]) -> None:
    """Lose the end of one file."""
    victim = _file(chance, home)
    victim.write_bytes(victim.read_bytes()[: chance.randrange(victim.stat().st_size)])


def cut_wal(chance: random.Random, home: Path, older: list[Path]) -> None:
    """Lose the last commits, as SQLite itself would not notice."""
    wal = home / "journal.db-wal"
    if wal.exists() and wal.stat().st_size:
        wal.write_bytes(wal.read_bytes()[: chance.randrange(wal.stat().st_size)])


def remove(chance: random.Random, home: Path, older: list[Path]) -> None:
    """Lose one file."""
    _file(chance, home).unlink()


def tear_page(chance: random.Random, home: Path, older: list[Path]) -> None:
    """Lose one block of a file: zeros where it was."""
    victim = _file(chance, home)
    content = bytearray(victim.read_bytes())
    start = chance.randrange(len(content)) // 512 * 512
    content[start : start + 512] = bytes(len(content[start : start + 512]))
    victim.write_bytes(content)


def flip(chance: random.Random, home: Path, older: list[Path]) -> None:
    """Change one bit."""
    victim = _file(chance, home)
    content = bytearray(victim.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    victim.write_bytes(content)


def go_back(chance: random.Random, home: Path, older: list[Path]) -> None:
    """Put an older copy of some of the files in place, as a careless backup would.

    The anchor goes back alone or not at all: an older journal with its own anchor is a whole one, as restored.
    """
    source = chance.choice(older)
    for name in chance.choice([FILES[:1], FILES[1:2], FILES[:2], FILES[2:]]):
        if (source / name).exists():
            shutil.copy(source / name, home / name)


def append(chance: random.Random, home: Path, older: list[Path]) -> None:
    """Find more in a file than was written."""
    with _file(chance, home).open("ab") as file:
        file.write(chance.randbytes(chance.randrange(1, 9_000)))


def _file(chance: random.Random, home: Path) -> Path:
    there = [home / name for name in FILES if (home / name).exists() and (home / name).stat().st_size]
    return chance.choice(there)


DAMAGES: tuple[Damage, ...] = (cut, cut_wal, remove, tear_page, flip, go_back, append)


def test_damaged_journals_are_whole_or_refused() -> None:
    """Every torn, cut, mixed or bit-flipped journal says all that was committed, or that it cannot be trusted."""
    refused = 0
    with fast_home() as home:
        images = images_of_a_life(home / "life", home / "images")
        truth = {image: items_of(shutil.copytree(image, home / "copy" / image.name)) for image in images}
        for number in range(SIZES.torn):
            chance = random.Random(f"{SEED} {number}")
            image = chance.choice(images[1:])
            victim = shutil.copytree(image, home / "torn" / str(number))
            damage = DAMAGES[number % len(DAMAGES)]
            damage(chance, victim, images[: images.index(image)])
            said = f"seed {SEED}, number {number}: {damage.__name__} of image {image.name}"
            found = items_or_refusal(victim)
            if isinstance(found, JournalError):
                refused += 1
                assert (str(victim) in found.message, bool(found.advice)) == (True, True), f"{said}: {found}"
            else:
                assert found == truth[image], f"{said}: silently short"
            shutil.rmtree(victim)
    assert refused > SIZES.torn // 4


def test_an_undamaged_image_opens_with_every_row() -> None:
    """A copy of the files at any moment, without a clean end, is a whole journal: what was committed is there."""
    with fast_home() as home:
        images = images_of_a_life(home / "life", home / "images")
        lengths = [len(items_of(image)) for image in images]
    assert lengths == [25 * (number // 2 + 1) for number in range(12)] + [150]
