"""The scripts and style sheets beside this file, as the text that a widget sends."""

from __future__ import annotations

from importlib.resources import files


def _read(name: str) -> str:
    return files("retry_toolkit.panels.widgets").joinpath(name).read_text(encoding="utf-8")


def script(*names: str) -> str:
    """One ES module of the scripts `names`, behind the functions that all of them share."""
    return "\n".join(_read(name) for name in ("shared.js", *names))


def style(*names: str) -> str:
    """The tokens, then the style sheets `names`."""
    return "\n".join(_read(name) for name in ("tokens.css", *names))
