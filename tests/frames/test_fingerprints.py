"""Fingerprints: one cause has one, two causes have two."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.frames.fingerprints import MAX_CHARS, fingerprint, fingerprints, masked

TRACEBACK = """Traceback (most recent call last):
  File "/srv/pipe.py", line {line}, in clean
    int(row["qty"])
    ~~~^^^^
ValueError: invalid literal for int(): '{value}'
"""
CHAINED = (
    TRACEBACK
    + """
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/run.py", line 3, in <module>
    run()
retry.StageError: stage stopped
it says: more
  File a bug
"""
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("row 7 has 3 fields", "row * has * fields"),
        ("took 12.5 s of 1,000", "took * s of *"),
        ("at 0x7fff5fbff8c0", "at *"),
        ("commit deadbeef01 is bad", "commit * is bad"),
        ("task 2f1c9f6e-0f7a-4e3c-9b1f-aaaaaaaaaaaa stopped", "task * stopped"),
        ("at 2026-11-22T09:29:39.173305+08:00 it broke", "at * it broke"),
        ("2026年11月22日 失败", "* 失败"),
        ("at 09:29:39 it broke", "at * it broke"),
        ("cannot open /var/data/输入/订单 表.csv", "cannot open * 表.csv"),
        ("cannot open '/var/data/输入/订单 表.csv'", "cannot open *"),
        ("无法打开文件/数据/2026年/输入.csv：没有那个文件", "无法打开文件*：没有那个文件"),
        ("缺少 data/输入/订单.csv", "缺少 *"),
        ("C:\\数据\\x.csv not found", "* not found"),
        ("\\\\server\\share\\x missing", "* missing"),
        ("~/data/a.csv missing", "* missing"),
        ("connect to 127.0.0.1:8080 failed", "connect to * failed"),
        ("connect to fe80::1:2:3 failed", "connect to * failed"),
        ("GET https://api.test/v1?x=1 failed", "GET * failed"),
        ("mail to a.b@c.test failed", "mail to * failed"),
        ("column “价格” is missing", "column * is missing"),
        ("列「价格」缺失", "列*缺失"),
        ("KeyError: 'price'", "KeyError: *"),
        ('field "qty" and `n`', "field * and *"),
        ("rows 3, 5, 7 are bad", "rows * are bad"),
        ("HTTP 429 Too Many Requests at L1234.XSHG: account A77", "HTTP 429 Too Many Requests at *: account *"),
        ("history of XSHG/cold_index-12 in task_1001", "history of * in *"),
        ("pandas.errors.ParserError in sales.csv", "pandas.errors.ParserError in sales.csv"),
        ("参考文件缺失: gate-031bc1c8", "参考文件缺失: *"),
        ("can't read, isn't there", "can't read, isn't there"),
        ("input/output error, and/or n/a", "input/output error, and/or n/a"),
        ("std::bad_alloc", "std::bad_alloc"),
        ("\x1b[31mError\x1b[0m: disk full", "Error: disk full"),
        ("  too \t many   blanks ", "too many blanks"),
        ("----\n\n第 33 行格式错误\n更多", "第 * 行格式错误"),
        ("12345", "*"),
        ("???", "???"),
    ],
)
def test_what_varies_is_removed(message: str, expected: str) -> None:
    """Numbers, hex, ids, times, addresses, paths and quoted values; the words stay."""
    assert fingerprint(message) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("process ended with exit code 137", "process ended with exit code 139"),
        ("exited with code 1", "exited with code 2"),
        ("worker ended: exit_code=137", "worker ended: exit_code=139"),
        ("[WinError 5] x", "[WinError 32] x"),
        ("returned non-zero exit status 1.", "returned non-zero exit status 2."),
        ("HTTP 500 from upstream", "HTTP 503 from upstream"),
        ("HTTP/1.1 502 after 3 s", "HTTP/1.1 504 after 3 s"),
        ("status code: 429", "status code: 503"),
        ("Server error '500 Internal Server Error'", "Server error '503 Service Unavailable'"),
        ("[Errno 2] no such file", "[Errno 13] no such file"),
        ("killed by signal 9", "killed by signal 11"),
        ("ORA-00942: table", "ORA-01017: table"),
        ("退出码 137", "退出码 139"),
        ("状态码：500", "状态码：503"),
        ("error 1045 (28000)", "error 1146 (28000)"),
        ("in /数据/退出码 137", "in /数据/退出码 139"),
        ("'exit code 1' of 'exit code 2'", "'exit code 1' of 'exit code 3'"),
    ],
)
def test_codes_keep_causes_apart(one: str, other: str) -> None:
    """An error code is no variable part."""
    assert fingerprint(one) != fingerprint(other)
    assert set(re.findall(r"\d+", str(fingerprint(one)))) <= set(re.findall(r"\d+", one))


def test_a_code_stays_while_the_rest_goes() -> None:
    """In one message."""
    assert fingerprint("pid 4711: exit code 137 after 12 s") == "pid *: exit code 137 after * s"
    assert fingerprint("error: 12 rows failed") == "error: * rows failed"
    assert fingerprint("exit code 1, then exit code 2 at 10:00") == "exit code 1, then exit code 2 at *"


def test_a_traceback_is_known_by_what_was_raised() -> None:
    """The line after the last frames; lines of the message that follow do not count."""
    expected = "ValueError: invalid literal for int(): *"
    assert {fingerprint(TRACEBACK.format(line=n, value=n * "x")) for n in range(3)} == {expected}
    assert fingerprint(CHAINED.format(line=1, value=2)) == "retry.StageError: stage stopped"
    assert fingerprint("log\n" + TRACEBACK.format(line=1, value=2) + "Hint: look\n") == expected
    assert fingerprint("Traceback (most recent call last):\nMemoryError") == "MemoryError"


@pytest.mark.parametrize("message", [None, "", "  \n\t", "\x00\x1b[0m"])
def test_no_message_has_no_fingerprint(message: str | None) -> None:
    """Missing, not an empty text."""
    assert fingerprint(message) is None


def test_huge_messages_have_short_fingerprints() -> None:
    """Megabytes are looked at from both ends."""
    assert fingerprint("错误信息 " * 1_000_000) == ("错误信息 " * 1000)[:MAX_CHARS].strip()
    assert fingerprint("Traceback (most recent call last):\n" + "  x\n" * 1_000_000 + "OSError: 5") == "OSError: *"


def test_many_messages_keep_order_and_gaps() -> None:
    """Lists, columns of frames and Arrow arrays; equal messages are worked on once."""
    messages = ["row 1", None, "row 2", "", "row 1"]
    expected = ["row *", None, "row *", None, "row *"]
    for source in (messages, pd.Series(messages, dtype="str"), pa.array(messages)):
        assert fingerprints(source).to_pylist() == expected
    assert fingerprints([]).to_pylist() == []


def test_lone_surrogates_do_no_harm() -> None:
    """Text that cannot be encoded still has a fingerprint."""
    assert fingerprint("bad \ud800 text 7") == "bad \ufffd text *"


@given(st.text())
def test_any_text_has_a_short_stable_fingerprint(text: str) -> None:
    """One line, bounded, and the fingerprint of a fingerprint is itself."""
    once = fingerprint(text)
    if once is not None:
        assert 0 < len(once) <= MAX_CHARS
        assert "\n" not in once
        assert fingerprint(once) == once


WORDS = st.sampled_from(["row", "failed", "文件", "in stage", "missing:"])
HOLES: st.SearchStrategy[Any] = st.integers(0, 10**9) | st.uuids() | st.ip_addresses(v=4) | st.floats(0, 1e6).map(abs)


@given(st.lists(WORDS, min_size=1, max_size=4), st.data())
def test_messages_that_differ_in_values_only_are_one_cause(words: list[str], data: st.DataObject) -> None:
    """Whatever the values."""

    def message() -> str:
        return " ".join(f"{word} {data.draw(HOLES)}" for word in words)

    assert fingerprint(message()) == fingerprint(message())


def test_lines_are_masked_whole() -> None:
    """Each by itself and at any length; what is quoted stays, without its numbers and paths."""
    lines = [
        "2026-11-25 10:00:01 read 12 rows from /tmp/a/b.csv",
        "  KeyError: 'amount 7' in \"/data/x1/y.csv\"",
        "exit code 137 after 3 s",
        "",
        "x" * 1000 + " 5",
    ]
    assert masked(lines) == [
        "* read * rows from *",
        "KeyError: 'amount *' in \"*\"",
        "exit code 137 after * s",
        "",
        "x" * 1000 + " *",
    ]
    assert masked([]) == []
    assert masked(["lone \ud800 3"]) == ["lone \ufffd *"]
