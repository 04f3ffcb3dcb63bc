"""The top of the page: what this is, which platform, how fresh and since when not, in which language; then messages."""

from __future__ import annotations

from typing import Any, Final

from retry_toolkit.panels.state.auto import INTERVALS
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.notices import Notice
from retry_toolkit.panels.view import around, redraw, speaks, words_node
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el, moment, select
from retry_toolkit.text import LANGUAGES, MISSING, Texts

_LANGUAGE_NAMES: Final = {"en": "EN", "zh": "中文"}


class HeaderView:
    """Title, platform, badge, time of the last load, refresh, language."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._fragment = Fragment()
        self._fragment.on_action(desk.session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(desk.session),
            (desk.session, ["can_act", "unlocked"]),
            (desk.catalog, ["loaded_at", "loading", "read", "problem"]),
            (desk.auto, ["interval"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "refresh":
            self._desk.refresh()
        elif action == "auto" and value is not None and value.isdecimal():
            self._desk.auto.choose(int(value))
        elif action == "language" and value in LANGUAGES:
            self._desk.session.speak(value)
        elif action == "lock":
            self._desk.session.lock()

    def _draw(self) -> None:
        texts = self._desk.session.texts
        header = el("div", self._build_brand(texts), self._build_tools(texts), cls="fd-header")
        self._fragment.show(header, language=texts.language)

    def _build_brand(self, texts: Texts) -> Node:
        platform = self._desk.session.platform
        return el(
            "div",
            el("h2", texts("header.title")),
            el(
                "div",
                el("span", platform.name, title=platform.origin),
                self._build_badge(texts),
                el("span", self._staleness(texts), cls="fd-stale-note", role="status"),
                cls="fd-platform",
            ),
            cls="fd-brand",
        )

    def _build_badge(self, texts: Texts) -> Node:
        session = self._desk.session
        if session.unlocked:
            lock = button(texts("header.lock"), action="lock")
            return el("span", el("span", texts("header.operator"), cls="fd-badge fd-badge-strong"), lock)
        if session.can_act:
            return el("span", texts("header.can_act"), cls="fd-badge", title=texts("header.can_act_why"))
        return el("span", texts("header.read_only"), cls="fd-badge", title=texts("header.read_only_why"))

    def _build_tools(self, texts: Texts) -> Node:
        catalog = self._desk.catalog
        languages = [
            button(
                _LANGUAGE_NAMES[code],
                action="language",
                value=code,
                cls="fd-segment",
                lang=code,
                aria_pressed="true" if code == texts.language else "false",
            )
            for code in LANGUAGES
        ]
        refresh = button(
            texts("header.refresh"),
            action="refresh",
            cls="fd-button fd-refresh",
            aria_busy=str(catalog.loading).lower(),
        )
        return el(
            "div",
            el("span", el("span", self._progress(texts), role="status"), self._freshness(texts), cls="fd-loaded"),
            self._build_auto(texts),
            refresh,
            el("div", *languages, cls="fd-segments", role="group", aria_label=texts("header.language")),
            cls="fd-tools",
        )

    def _build_auto(self, texts: Texts) -> Node:
        options = [(str(seconds), texts("header.auto", n=seconds)) for seconds in INTERVALS if seconds]
        return select(
            [("0", texts("header.auto_off")), *options],
            str(self._desk.auto.interval),
            action="auto",
            aria_label=texts("header.auto_label"),
            title=texts("header.auto_why"),
        )

    def _progress(self, texts: Texts) -> Child:
        """What is being loaded, while somebody waits for it."""
        catalog = self._desk.catalog
        if not catalog.loading:
            return None
        if not catalog.read:
            return texts("header.starting")
        return texts("header.loading", n=catalog.read, count=texts.count(catalog.read))

    def _freshness(self, texts: Texts) -> Child:
        """Outside of what is announced: it changes every minute. What is stale says since when in another place."""
        catalog = self._desk.catalog
        if catalog.loading or catalog.stale or catalog.loaded_at is None:
            return None
        return around(texts, "header.loaded", moment(catalog.loaded_at, MISSING, "relative"))

    def _staleness(self, texts: Texts) -> Child:
        """Since when what is shown may be wrong, and why."""
        catalog = self._desk.catalog
        problem = catalog.problem
        if not catalog.stale or problem is None:
            return None
        since = moment(catalog.loaded_at, MISSING, "clock")
        advice = " ".join(part for part in (texts(problem.advice_key), problem.words) if part)
        return [
            el("span", around(texts, "header.stale", since), cls="fd-badge fd-badge-stale"),
            el("span", texts(problem.title_key), title=advice, cls="fd-stale-why"),
        ]


class NoticesView:
    """Messages until they are dismissed; errors are announced at once, the others when there is a pause."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._fragment = Fragment()
        self._fragment.on_action(self._session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(self._draw, speaks(self._session), (self._session.notices, ["items"]))

    def _act(self, action: str, value: str | None) -> None:
        if action == "dismiss" and value is not None:
            self._session.notices.dismiss(int(value))

    def _draw(self) -> None:
        texts, items = self._session.texts, self._session.notices.items
        parts = [
            el(
                "div",
                *(_notice_node(texts, notice) for notice in items if notice.level == level),
                cls="fd-notices",
                role=role,
            )
            for level, role in (("error", "alert"), ("info", "status"))
        ]
        self._fragment.show(*parts, language=texts.language)


def _notice_node(texts: Texts, notice: Notice) -> Node:
    body = el(
        "div",
        el("strong", texts(notice.title_key, **notice.values)),
        el("p", texts(notice.advice_key)) if notice.advice_key else None,
        words_node(texts, notice.words, quoted=notice.quoted),
        cls="fd-notice-text",
    )
    close = button("×", action="dismiss", value=str(notice.number), cls="fd-close", aria_label=texts("action.dismiss"))
    return el("div", body, close, cls=f"fd-notice-card fd-{notice.level}", data_key=str(notice.number))
