"""The filter bar: inputs that are linked with the table's filters in both directions."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets

from retry_toolkit.frames.filters import ACTIVE
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.query import choices
from retry_toolkit.panels.view import clipped, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import button, el
from retry_toolkit.text import Texts

_COLUMNS: Final = ("status", "template", "project", "failed_stage", "failure_category")
_STATUSES: Final = ("failed", ACTIVE, "succeeded", "cancelled")
_CHIPS: Final = ("fingerprint", "refusal")
_CHIP_LENGTH: Final = 80
# A dropdown takes None for "nothing is chosen" and shows a blank.
_ANY: Final = ""


class FiltersView:
    """Dropdowns of what occurs, a search, retryable only, reset; filters without an input are chips."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._catalog = desk.catalog
        self._table = desk.table
        self._drawing = False
        self._build_inputs()
        self._fragment = Fragment()
        inputs = ipywidgets.HBox([*self._dropdowns.values(), self._text, self._retryable, self._fragment])
        inputs.add_class("fd-filters")
        self._chips = Fragment()
        self.widget: Any = ipywidgets.VBox([inputs, self._chips])
        self._bind()

    def _build_inputs(self) -> None:
        self._dropdowns: dict[str, Any] = {name: ipywidgets.Dropdown() for name in _COLUMNS}
        self._text: Any = ipywidgets.Text()
        self._retryable: Any = ipywidgets.Checkbox(indent=False)
        for name, dropdown in self._dropdowns.items():
            dropdown.add_class("fd-field").add_class(f"fd-field-{name}")
        self._text.add_class("fd-field").add_class("fd-field-text")
        self._retryable.add_class("fd-check")

    def _bind(self) -> None:
        guard = self._session.guard
        for name, dropdown in self._dropdowns.items():
            dropdown.observe(guard(lambda change, name=name: self._changed(name, change["new"])), names="value")
        self._text.observe(guard(lambda change: self._changed("text", change["new"])), names="value")
        self._retryable.observe(guard(lambda change: self._changed("retryable_only", change["new"])), names="value")
        self._fragment.on_action(guard(lambda _action, _value: self._table.reset()))
        self._chips.on_action(guard(self._drop))
        redraw(self._draw, speaks(self._session), (self._catalog, ["catalog"]), (self._table, ["filters", "sort"]))

    def _changed(self, name: str, value: Any) -> None:
        if not self._drawing:
            self._table.filter(**{name: value if name in {"text", "retryable_only"} else value or None})

    def _drop(self, action: str, value: str | None) -> None:
        if action == "drop" and value in _CHIPS:
            self._table.filter(**{value: None})

    def _draw(self) -> None:
        texts, filters = self._session.texts, self._table.filters
        # Setting options and values must not come back as the user's choice.
        self._drawing = True
        try:
            for name, dropdown in self._dropdowns.items():
                with dropdown.hold_sync():
                    dropdown.description = texts(f"filters.{name}")
                    options = self._options(texts, name)
                    if dropdown.options != options:
                        dropdown.options = options
                    dropdown.value = getattr(filters, name) or _ANY
            self._text.description = texts("filters.text")
            self._text.placeholder = texts("filters.text_hint")
            if self._text.value.strip() != filters.text.strip():
                self._text.value = filters.text
            self._retryable.description = texts("filters.retryable_only")
            self._retryable.value = filters.retryable_only
        finally:
            self._drawing = False
        reset = button(texts("filters.reset"), action="reset", cls="fd-button fd-quiet")
        self._fragment.show(reset, language=texts.language)
        self._draw_chips(texts)

    def _options(self, texts: Texts, name: str) -> tuple[tuple[str, str], ...]:
        tasks = None if self._catalog.catalog is None else self._catalog.catalog.tasks
        found = () if tasks is None else choices(tasks, name)
        chosen = getattr(self._table.filters, name)
        if name == "status":
            found = (*_STATUSES, *(value for value in found if value not in {*_STATUSES, "running", "pending"}))
        if chosen is not None and chosen not in found:
            found = (*found, chosen)
        family = {"status": "status", "failure_category": "category"}.get(name, "-")
        return ((texts("filters.any"), _ANY), *((texts.word(family, value), value) for value in found))

    def _draw_chips(self, texts: Texts) -> None:
        chips = []
        for name in _CHIPS:
            value = getattr(self._table.filters, name)
            if value is not None:
                word = texts.word("refusal", value) if name == "refusal" else clipped(value, _CHIP_LENGTH)
                close = button("×", action="drop", value=name, cls="fd-close", aria_label=texts("filters.drop"))
                chips.append(el("span", f"{texts(f'filters.{name}')}: {word}", close, cls="fd-chip", title=value))
        self._chips.show(*([el("div", *chips, cls="fd-chips")] if chips else []), language=texts.language)
