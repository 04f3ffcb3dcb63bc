"""The scripts and style sheets beside this file, as the text that a widget sends."""

from __future__ import annotations

from importlib.resources import files


def _read(name: str) -> str:
    return files("retry_toolkit.panels.widgets").joinpath(name).read_text(encoding="utf-8")


def script(name: str) -> str:
    """The ES module `name` behind the functions that all of them share."""
    return f"{_read('shared.js')}\n{_read(name)}"


def style(*names: str) -> str:
    """The tokens, then the style sheets `names`."""
    return "\n".join(_read(name) for name in ("tokens.css", *names))
