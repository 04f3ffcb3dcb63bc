"""What the command line prints: text of strangers stays text."""

from __future__ import annotations

import pandas as pd
import pytest

from retry_toolkit.errors import RetryToolkitError
from retry_toolkit.printing import defused, headline, parse_parameters, plain


def test_parameters_are_json_where_they_parse() -> None:
    """Numbers, booleans and lists keep their type; anything else is text, further equals signs included."""
    pairs = ["n=3", "on=true", "days=[1,2]", "day=2026-11-20", "query=a=b", "empty=", "id=00123"]
    assert parse_parameters(pairs) == {
        "n": 3,
        "on": True,
        "days": [1, 2],
        "day": "2026-11-20",
        "query": "a=b",
        "empty": "",
        "id": "00123",
    }


@pytest.mark.parametrize("pair", ["novalue", "=3", ""])
def test_a_parameter_without_name_or_value_is_refused(pair: str) -> None:
    """The error repeats what was given."""
    with pytest.raises(RetryToolkitError, match="name=value"):
        parse_parameters([pair])


def test_escape_sequences_never_reach_the_terminal() -> None:
    """Controls and direction marks are replaced, line breaks become spaces, long text is cut."""
    assert plain("a\x1b[31mred\x07\nb\u202ec") == "a\ufffd[31mred\ufffd b\ufffdc"
    assert plain("x" * 50, width=10) == "x" * 9 + "…"
    assert plain("重试 完成") == "重试 完成"


def test_formula_cells_are_defused() -> None:
    """A cell that a spreadsheet would run gets an apostrophe; numbers, plain text and missing cells stay."""
    frame = pd.DataFrame(
        {
            "name": pd.array(["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "fine", None], dtype="str"),
            "kind": pd.Categorical(["=a", "b", "b", "b", "b", "b", None]),
            "cost": [-1.0] * 7,
        }
    )
    safe = defused(frame)
    assert safe["name"].fillna("").tolist() == ["'=HYPERLINK(1)", "'+1", "'-1", "'@x", "'\tx", "fine", ""]
    assert safe["kind"].fillna("").tolist() == ["'=a", "b", "b", "b", "b", "b", ""]
    assert safe["cost"].tolist() == [-1.0] * 7
    assert safe.isna().sum().tolist() == [1, 1, 0]


def test_an_error_is_summed_up_by_its_telling_line() -> None:
    """That is the last of a traceback and else the first; blank lines do not count."""
    assert headline("Traceback (most recent call last):\n  File x\nValueError: no rows\n\n") == "ValueError: no rows"
    assert headline("\n2 rows are malformed:\n  line 3\n  line 9\n") == "2 rows are malformed:"
    assert headline("") == ""
