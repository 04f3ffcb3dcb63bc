"""Rows of the journal: whatever is in an item comes back, and nothing can be changed unseen."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retry_toolkit.retry.records import Intent, Item
from retry_toolkit.retry.rows import ITEM_COLUMNS, NotAsWritten, StoredItem, read_item
from retry_toolkit.retry.states import STATES
from tests.retry.journals import intent

TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates and NUL, too
MAYBE = st.none() | TEXTS
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
INTENTS = st.builds(
    Intent,
    origin=TEXTS,
    task_id=TEXTS,
    action=st.sampled_from(["stage", "task"]),
    attempt=st.integers(),
    stage_id=MAYBE,
    stage=MAYBE,
    fingerprint=MAYBE,
    copy_files=st.booleans(),
    display_name=MAYBE,
)
ITEMS = st.builds(
    Item,
    batch_id=st.text("0123456789-abcdef", min_size=1),
    position=st.integers(0, 10**6),
    intent=INTENTS,
    state=st.sampled_from(STATES),
    round=st.integers(1, 99),
    reason=TEXTS,
    detail=TEXTS,
    sent_at=TIMES,
    answered_at=TIMES,
    settled_at=TIMES,
    attempt_after=st.none() | st.integers(),
    new_task_id=MAYBE,
    evidence_id=MAYBE,
)


def values(stored: StoredItem, **changed: object) -> tuple[object, ...]:
    """The row of an item, as the database gives it."""
    row = {"id": 7} | stored.row() | changed
    return tuple(row[name] for name in ITEM_COLUMNS)


@settings(max_examples=60)
@given(ITEMS, st.booleans(), st.integers(0, 10**9))
def test_an_item_comes_back_as_it_was(item: Item, current: bool, audit_seq: int) -> None:
    """Every field, with text that no encoding takes; the key and the name, too."""
    stored = StoredItem(item=item, current=current, rowid=7, audit_seq=audit_seq)
    found = read_item(values(stored))
    assert found == stored
    assert (found.item.op_id, found.item.key) == (item.op_id, item.key)
    assert all(isinstance(value, int) or value.isascii() for value in stored.row().values())


@pytest.mark.parametrize("column", [name for name in ITEM_COLUMNS if name != "id"])
def test_no_column_can_be_changed_unseen(column: str) -> None:
    """Each is covered by the row's digest."""
    stored = StoredItem(item=Item(batch_id="b", position=1, intent=intent(1), state="SENT"), current=True, rowid=7)
    old = stored.row()[column]
    with pytest.raises(NotAsWritten, match="item 7"):
        read_item(values(stored, **{column: old + 1 if isinstance(old, int) else f"{old} "}))


def test_two_intents_share_no_name() -> None:
    """Names that join to the same text are told apart."""
    pairs = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", "")]
    names = {Intent(origin=one, task_id=two, action="stage", attempt=0).op_id for one, two in pairs}
    assert len(names) == len(pairs)
