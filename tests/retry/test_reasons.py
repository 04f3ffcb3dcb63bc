"""Sentences of plans and journals are said and read back without loss."""

from __future__ import annotations

from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.retry.reasons import SENTENCES, Reason, read, say

WORDS = st.text(st.characters(blacklist_characters="'"), max_size=30)


def names_in(sentence: str) -> list[str]:
    """What a sentence names."""
    return [name for _, name, _, _ in Formatter().parse(sentence) if name]


@pytest.mark.parametrize("key", SENTENCES)
def test_every_sentence_is_read_back(key: str) -> None:
    """Whatever it names comes back, also what looks like a template or has several lines."""
    values = {name: f"<{name}> {{0}} 阶段\nof it" for name in names_in(SENTENCES[key])}
    assert read(say(key, **values)) == Reason(key, values)


@given(stage=WORDS, count=st.integers(0, 99), limit=st.integers(0, 99))
def test_values_come_back_whatever_they_are(stage: str, count: int, limit: int) -> None:
    """Names of stages come from strangers."""
    values = {"stage": stage, "count": str(count), "limit": str(limit)}
    assert read(say("limit_reached", **values)) == Reason("limit_reached", values)


def test_a_reason_inside_a_reason() -> None:
    """Why something was not sent is a sentence of its own."""
    outer = read(say("not_sent", why=say("gone")))
    assert outer is not None
    assert read(outer.values["why"]) == Reason("gone")


def test_words_of_a_person_are_no_reason() -> None:
    """A note is shown as it was written."""
    assert read("seen in the log, 已处理") is None
    assert read("") is None
