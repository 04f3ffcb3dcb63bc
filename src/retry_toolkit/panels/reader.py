"""The error and the log of the chosen stage, as lines to search and to follow."""

from __future__ import annotations

from typing import Any, Final

from retry_toolkit.panels.state.problems import Problem
from retry_toolkit.panels.state.reader import LONGEST_LINE, View, act_on
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.reader import LineReader
from retry_toolkit.text import Texts

FILE_CHARS: Final = 8_000_000
"""Longest file that the browser is handed, in characters: the end of what is kept."""

_SEARCHED_FROM: Final = 12
_FOLDED_LINES: Final = 12
_WORDS: Final = (
    *("search", "previous", "next", "first_error", "no_error", "follow", "to_end", "download", "reload", "cut"),
    *("mark_stdout", "mark_stderr", "mark_event", "mark_error", "mark_warning"),
)


class ErrorReaderView:
    """The error in full, folded where it is long. Hidden where there is none."""

    def __init__(self, session: Session, report: ReportState) -> None:
        self._session = session
        self._report = report
        self._unfolded: str | None = None
        self.widget: Any = LineReader()
        self.widget.on_ask(session.guard(self._act))
        redraw(self._draw, speaks(session), (report.error_reader, ["view"]), (report, ["task", "stage_id"]))

    def _act(self, action: str, value: object) -> None:
        reader = self._report.error_reader
        if action == "whole":
            self._unfolded = None if self._unfolded == reader.view.key else reader.view.key
            self._draw()
        elif action == "download":
            self.widget.hand_over(_file_name(self._report, "error"), reader.text(FILE_CHARS))
        else:
            act_on(reader, action, value)

    def _draw(self) -> None:
        if self._report.between:
            return
        texts, view = self._session.texts, self._report.error_reader.view
        self.widget.layout.display = None if self._report.error else "none"
        if not self._report.error:
            return
        long, folded = view.total > _FOLDED_LINES, self._unfolded != view.key
        label = texts("reader.show_all", n=view.total, count=texts.count(view.total)) if folded else ""
        about = {
            "kind": "error",
            "fold": "error",
            "title": texts("report.error"),
            "folded": long and folded,
            "whole": (label or texts("reader.show_less")) if long else "",
            "searches": view.total > _SEARCHED_FROM or len(self._report.error) > LONGEST_LINE,
            # Of a traceback the last lines say what was raised.
            "end": self._report.error.lstrip().startswith("Traceback"),
        }
        _show(self.widget, texts, view, about)


class LogReaderView:
    """The log of the chosen stage. Hidden where there is no stage, or the platform keeps no logs."""

    def __init__(self, session: Session, report: ReportState) -> None:
        self._session = session
        self._report = report
        self.widget: Any = LineReader()
        self.widget.on_ask(session.guard(self._act))
        redraw(
            self._draw,
            speaks(session),
            (report.log_reader, ["view"]),
            (report, ["task", "stage_id", "log", "log_loading", "log_problem"]),
        )

    def _act(self, action: str, value: object) -> None:
        if action == "reload":
            self._report.reload_log()
        elif action == "download":
            self.widget.hand_over(_file_name(self._report, "log"), self._report.log_reader.text(FILE_CHARS))
        else:
            act_on(self._report.log_reader, action, value)

    def _draw(self) -> None:
        report, texts = self._report, self._session.texts
        if report.between:
            return
        stage = report.stage
        shown = stage is not None and self._session.platform.capabilities.logs
        self.widget.layout.display = None if shown else "none"
        if stage is None or not shown:
            return
        about = {
            "kind": "log",
            "fold": "log",
            "title": texts("report.log"),
            "reloads": True,
            "searches": True,
            "live": stage.status == "running",
            "busy": report.log_loading and not report.log.lines,
            "end": True,
            "notes": _log_notes(texts, report),
        }
        _show(self.widget, texts, report.log_reader.view, about, empty=_log_empty(texts, report))


def _show(widget: LineReader, texts: Texts, view: View, about: dict[str, Any], *, empty: str = "") -> None:
    """What the browser is sent: rows, numbers, and every word of the page."""
    with widget.hold_sync():
        widget.language = texts.language
        widget.words = _words(texts, about["title"])
        widget.window = {
            "whole": "",
            "reloads": False,
            "live": False,
            "busy": False,
            "notes": "",
            "folded": False,
            **about,
            "key": view.key or "none",
            "lines": [[number, line.mark, line.text, line.cut] for number, line in view.lines],
            "errors": view.errors,
            "following": view.following,
            "goto": list(view.goto),
            "found": {"query": view.found.query, "count": view.found.count, "number": view.found.number},
            "counted": _counted(texts, view),
            "above": _more(texts, "reader.earlier", view.earlier),
            "above_note": _more(texts, "reader.skipped", view.skipped if not view.earlier else 0),
            "below": _more(texts, "reader.later", view.later),
            "empty": empty,
        }


def _words(texts: Texts, title: str) -> dict[str, str]:
    words = {name: texts(f"reader.{name}") for name in _WORDS}
    return words | {
        "copy": texts("action.copy"),
        "copied": texts("action.copied"),
        "search_in": texts("reader.search_in", title=title),
    }


def _counted(texts: Texts, view: View) -> str:
    found = view.found
    if not found.query:
        return ""
    if not found.count:
        return texts("reader.nothing")
    return texts("reader.found", at=texts.count(found.at), count=texts.count(found.count))


def _more(texts: Texts, key: str, count: int) -> str:
    return texts(key, n=count, count=texts.count(count)) if count else ""


def _log_empty(texts: Texts, report: ReportState) -> str:
    if report.log_problem is not None:
        return problem_text(texts, report.log_problem)
    if report.log.lines:
        return ""
    return texts("report.log_loading" if report.log_loading else "report.log_empty")


def _log_notes(texts: Texts, report: ReportState) -> str:
    return _more(texts, "reader.codes", report.log.codes)


def problem_text(texts: Texts, problem: Problem) -> str:
    """What happened, what to do, and the words that came with it, one line each."""
    words = f"{texts('problem.words')} {problem.words}" if problem.quoted else problem.words
    return "\n".join(filter(None, (texts(problem.title_key), texts(problem.advice_key), problem.words and words)))


def _file_name(report: ReportState, what: str) -> str:
    stage = report.stage
    name = "-".join(filter(None, (report.task_id, stage.stage if stage else None, what)))
    return f"{''.join(char if char.isalnum() or char in '-_.' else '_' for char in name)[:120]}.txt"
