"""The texts of both languages, and how amounts are written."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from string import Formatter

import pytest

import retry_toolkit
from retry_toolkit.retry.reasons import SENTENCES
from retry_toolkit.text import LANGUAGES, MISSING, Texts, _table, locale_language, within

SOURCES = [*Path(retry_toolkit.__file__).parent.joinpath("panels").rglob("*.py")]
LITERAL = re.compile(r"\btexts\(\s*\"([a-z_.]+)\"|_texts\(\"([a-z_.]+)\"|tell\(\"([a-z_.]+)\"")


def fields(text: str | dict[str, str]) -> set[str]:
    """Names of the values that a text inserts, over all its plural forms."""
    forms = [text] if isinstance(text, str) else text.values()
    return {name for form in forms for _, name, _, _ in Formatter().parse(form) if name}


def test_both_languages_have_the_same_keys() -> None:
    """No text is missing in one of them; the journal's sentences are English already."""
    reasons = {f"reason.{key}" for key in SENTENCES}
    assert Texts("zh").keys - Texts("en").keys == reasons
    assert Texts("en").keys <= Texts("zh").keys


def test_the_journal_s_sentences_are_translated_whole() -> None:
    """Each names in Chinese what it names in English."""
    chinese = _table("zh")
    assert {key: fields(chinese[f"reason.{key}"]) for key in SENTENCES} == {
        key: fields(sentence) for key, sentence in SENTENCES.items()
    }


def test_both_languages_insert_the_same_values() -> None:
    """No translation forgets a count or a name; Chinese may leave out what English needs for its plural."""
    english, chinese = _table("en"), _table("zh")
    different = {key for key in english if fields(english[key]) - {"n"} != fields(chinese[key]) - {"n"}}
    assert different == set()


def test_every_text_that_the_panels_name_exists() -> None:
    """A key that is written in the source is in the tables: the page would fail where it is used."""
    used = {
        key for path in SOURCES for groups in LITERAL.findall(path.read_text(encoding="utf-8")) for key in groups if key
    }
    assert len(used) > 80
    assert used - Texts("en").keys == set()


def test_days_are_written_as_the_language_writes_them() -> None:
    """Without a year: charts show the last weeks."""
    assert [Texts(language).day(date(2026, 11, 3)) for language in LANGUAGES] == ["Nov 3", "11月3日"]


def test_texts_are_cut_to_pixels_by_what_they_are_made_of() -> None:
    """Narrow letters go further than wide ones; what fits stays whole."""
    assert within("short", 100) == "short"
    assert within("", 0) == ""
    assert len(within("i" * 99, 100)) > 2 * len(within("W" * 99, 100))
    assert within("销售日报表", 52) == "销售日…"
    assert within("<img src=x onerror=1>", 100).endswith("…")


def test_no_text_is_left_behind() -> None:
    """A key that no source mentions, by itself or by its family, is dead."""
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (*SOURCES, Path(retry_toolkit.__file__).with_name("text.py"))
    )
    source += Path(retry_toolkit.__file__).with_name("charts.py").read_text(encoding="utf-8")
    families = (
        set(re.findall(r"f['\"]([a-z]+)\.\{", source))
        | set(re.findall(r"word\(\s*\"([a-z]+)\"", source))
        | {"category"}
    )
    dead = {
        key
        for key in Texts("en").keys
        if not re.search(rf"['\"]{re.escape(key)}['\"]", source) and key.split(".")[0] not in families
    }
    assert dead == set()


@pytest.mark.parametrize(("count", "words"), [(1, "1 task in this lineage"), (2, "2 tasks in this lineage")])
def test_english_counts_one_and_other(count: int, words: str) -> None:
    """A text with an amount has the form of that amount."""
    assert Texts("en")("lineage.summary", n=count).startswith(words)


def test_the_seeds_words_are_used() -> None:
    """The Chinese wording is the one that users know from the web front end."""
    texts = Texts("zh")
    assert texts("confirm.whole_title") == "确定要重新执行此任务吗？"
    assert texts("outcome.whole") == "任务已重新提交！"
    assert texts("outcome.new_id") == "新任务ID:"
    assert texts("outcome.copied", n=5) == "已复制 5 个文件"
    assert texts("lineage.retry_of", parent="abc123") == "重试自 abc123"
    assert texts("lineage.retry_number", n=1) == "第 1 次重试"
    assert texts("lineage.retried", n=3) == "已重试 3 次"
    assert texts("problem.files_gone.title") == "原任务文件已被清理，无法重试"
    assert texts("problem.network.title") == "网络错误，请稍后再试"
    assert texts("problem.forbidden.title") == "权限不足"
    assert texts("problem.not_found.title") == "任务不存在或已被删除"


def test_values_are_never_templates() -> None:
    """Braces in a task's name come out as they went in."""
    assert Texts("en")("lineage.retry_of", parent="{0.__class__} {n}") == "Retry of {0.__class__} {n}"


def test_an_unknown_key_is_an_error() -> None:
    """A missing text is a mistake of ours, not an empty place on the page."""
    with pytest.raises(KeyError):
        Texts("en")("no.such.text")


def test_a_word_of_the_platform_s_own_is_shown_as_it_is() -> None:
    """A category that we have no word for stays what the platform calls it; nothing is a dash."""
    texts = Texts("zh")
    assert texts.word("category", "transient") == "临时故障"
    assert texts.word("category", "quota_exceeded") == "quota_exceeded"
    assert texts.word("category", None) == MISSING


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (None, "–", "–"),
        (0, "0.0 s", "0.0 秒"),
        (0.0001, "1 ms", "1 毫秒"),
        (0.04, "40 ms", "40 毫秒"),
        (1.25, "1.2 s", "1.2 秒"),
        (59.4, "59 s", "59 秒"),
        (59.6, "1 min 00 s", "1 分 00 秒"),
        (185, "3 min 05 s", "3 分 05 秒"),
        (7800, "2 h 10 min", "2 小时 10 分"),
    ],
)
def test_durations(seconds: float | None, english: str, chinese: str) -> None:
    """Running times read naturally, and round without 60 seconds."""
    assert (Texts("en").duration(seconds), Texts("zh").duration(seconds)) == (english, chinese)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1_200_000, "1.2 MB"), (240_000_000, "240 MB"), (5_000_000_000_000_000, "5,000 TB")],
)
def test_sizes(count: int, words: str) -> None:
    """Sizes have decimal units."""
    assert Texts("en").size(count) == words


def test_an_unknown_size_is_unknown() -> None:
    """Unknown is never 0."""
    assert (Texts("en").size(None), Texts("zh").size(None)) == ("unknown", "未知")


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "C", "HTTP_ACCEPT_LANGUAGE": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"),
        ({"LANG": "zh_CN", "HTTP_ACCEPT_LANGUAGE": "de-DE,en;q=0.5"}, "en"),
    ],
)
def test_the_browser_then_the_locale_choose_the_language(environ: dict[str, str], language: str) -> None:
    """`auto` is the browser's language where it is known, else the locale's; whatever is not Chinese is English."""
    assert locale_language(environ) == language
    assert language in LANGUAGES
