"""The top of the page: what this is, which platform, how fresh, in which language; below it the messages."""

from __future__ import annotations

from typing import Any, Final

from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.notices import Notice
from retry_toolkit.panels.view import redraw, speaks, words_node
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Node, button, el
from retry_toolkit.text import LANGUAGES, Texts

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
            (desk.catalog, ["catalog", "loading", "read"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "refresh":
            self._desk.refresh()
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
            el("p", el("span", platform.name, title=platform.origin), self._build_badge(texts), cls="fd-platform"),
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
            disabled=catalog.loading,
            aria_busy=str(catalog.loading).lower(),
        )
        return el(
            "div",
            el("span", *self._freshness(texts), cls="fd-loaded", role="status"),
            refresh,
            el("div", *languages, cls="fd-segments", role="group", aria_label=texts("header.language")),
            cls="fd-tools",
        )

    def _freshness(self, texts: Texts) -> list[Node]:
        catalog = self._desk.catalog
        if catalog.loading:
            return [
                texts("header.loading", n=catalog.read, count=texts.count(catalog.read))
                if catalog.read
                else texts("header.starting")
            ]
        if catalog.catalog is None:
            return []
        return [f"{texts('header.loaded')} ", el("time", datetime=catalog.catalog.loaded_at.isoformat())]


class NoticesView:
    """Messages until they are dismissed; errors are announced."""

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
        texts = self._session.texts
        notices = [_notice_node(texts, notice) for notice in self._session.notices.items]
        self._fragment.show(el("div", *notices, cls="fd-notices", role="alert"), language=texts.language)


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
