"""UI texts in English and Chinese, and how amounts are written.

Texts live in `locales/<language>.toml`, one key a text and the same keys in every language. A key that depends on an
amount is a table of `one` and `other`, chosen by the value `n`. Values are inserted as they are, never as templates.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal
from unicodedata import east_asian_width

LanguageCode = Literal["en", "zh"]
LANGUAGES: Final[tuple[LanguageCode, ...]] = ("en", "zh")
MISSING: Final = "–"

# Voilà hands the browser's languages to the kernel; without it the locale decides.
_LANGUAGE_VARIABLES = ("HTTP_ACCEPT_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
_BYTE_STEP = 1000
# Of DejaVu Sans, the widest font that a page is likely to have.
_WIDTHS = {4.3: "ijl.,:;'|!()[] ", 5.6: "tfr-/\\I", 11.2: "mwMW@%<>=+~#&OQGDNHU_"}
_USUAL, _WIDE, _ELLIPSIS = 8.2, 13.0, 13.0
_UNROUNDED_BELOW = 10
_MILLISECONDS_BELOW = 0.1
_MINUTE_S = 60
_HOUR_S = 3600


@cache
def _table(language: LanguageCode) -> dict[str, str | dict[str, str]]:
    text = files("retry_toolkit").joinpath("locales", f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text), ""))


def _flat(table: Mapping[str, Any], prefix: str) -> list[tuple[str, str | dict[str, str]]]:
    rows: list[tuple[str, str | dict[str, str]]] = []
    for name, value in table.items():
        if isinstance(value, dict) and "other" not in value:
            rows.extend(_flat(value, f"{prefix}{name}."))
        else:
            rows.append((f"{prefix}{name}", value))
    return rows


def locale_language(environ: Mapping[str, str] = os.environ) -> LanguageCode:
    """The language of the browser where it is known, else of the locale: `zh` for Chinese, else `en`."""
    wanted = next((environ[name] for name in _LANGUAGE_VARIABLES if environ.get(name)), "")
    return "zh" if wanted.strip().lower().startswith("zh") else "en"


def fitted(text: str, cells: int) -> str:
    """`text` cut to a width in Latin letters; Chinese characters are twice as wide."""
    used = 0
    for index, char in enumerate(text):
        used += 2 if east_asian_width(char) in "WF" else 1
        if used > cells:
            return f"{text[:index]}…"
    return text


def within(text: str, pixels: float) -> str:
    """`text` cut to about so many pixels of a sans-serif font of 13 pixels, rather a little too early than too late."""
    used, fitting = 0.0, 0
    for index, char in enumerate(text):
        if used + _ELLIPSIS <= pixels:
            fitting = index
        used += _char_pixels(char)
        if used > pixels:
            return f"{text[:fitting]}…"
    return text


def _char_pixels(char: str) -> float:
    if east_asian_width(char) in "WF":
        return _WIDE
    return next((width for width, chars in _WIDTHS.items() if char in chars), _USUAL)


class Texts:
    """The texts of one language: call it with a key and the values that the text names.

    Args:
        language: `en`, `zh`, or `auto` for the browser's where it is known, else the locale's.
    """

    def __init__(self, language: Literal["auto", "en", "zh"] = "auto") -> None:
        self.language: LanguageCode = locale_language() if language == "auto" else language
        self._table = _table(self.language)

    def __repr__(self) -> str:
        return f"Texts({self.language!r})"

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of `key` with `values` inserted.

        Raises:
            KeyError: There is no such key, or the text names a value that was not given.
        """
        entry = self._table[key]
        template = (
            entry if isinstance(entry, str) else entry.get("one" if values.get("n") == 1 else "other", entry["other"])
        )
        return template.format_map(values) if values else template

    @property
    def keys(self) -> frozenset[str]:
        """Every key."""
        return frozenset(self._table)

    def word(self, family: str, value: str | None) -> str:
        """The word for a closed value such as a status; a value that has no word is shown as it is, None as a dash."""
        if value is None:
            return MISSING
        key = f"{family}.{value}"
        return self(key, n=1) if key in self._table else value

    def duration(self, seconds: float | None) -> str:
        """A running time, such as `40 ms`, `1.2 s`, `3 min 05 s` or `2 h 10 min`."""
        if seconds is None:
            return MISSING
        if 0 < seconds < _MILLISECONDS_BELOW:
            return self("unit.milliseconds", ms=max(round(seconds * 1000), 1))
        if seconds < _UNROUNDED_BELOW:
            return self("unit.seconds", s=f"{max(seconds, 0):.1f}")
        whole = round(seconds)
        if whole < _MINUTE_S:
            return self("unit.seconds", s=whole)
        if whole < _HOUR_S:
            return self("unit.minutes", m=whole // _MINUTE_S, s=f"{whole % _MINUTE_S:02d}")
        minutes = whole // _MINUTE_S
        return self("unit.hours", h=minutes // _MINUTE_S, m=f"{minutes % _MINUTE_S:02d}")

    def size(self, count: int | None) -> str:
        """An amount of bytes in decimal units, such as `1.2 MB`; None is said to be unknown, never 0."""
        if count is None:
            return self("unit.unknown")
        amount = float(count)
        for unit in ("B", "kB", "MB", "GB", "TB"):
            if abs(amount) < _BYTE_STEP or unit == "TB":
                break
            amount /= _BYTE_STEP
        digits = 0 if unit == "B" or amount >= _BYTE_STEP / _UNROUNDED_BELOW else 1
        return f"{amount:,.{digits}f} {unit}"

    def day(self, date: date) -> str:
        """A day without its year, such as `Nov 23`."""
        months = self("unit.months").split()
        return self("unit.day", month=months[date.month - 1], day=date.day)

    def join(self, words: Iterable[str]) -> str:
        """Names in a row, as the language separates them."""
        return self("unit.comma").join(words)

    def count(self, number: int | None) -> str:
        """A whole number with separators, or a dash."""
        return MISSING if number is None else f"{number:,}"
