"""Backgrounds for tests: one that works at once, one that waits until it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from retry_toolkit.panels.state.background import Failed


class AtOnce:
    """Does the work where it is asked for; what threads of others hand over comes one at a time."""

    def __init__(self) -> None:
        self._turn = threading.RLock()

    def start(self, work: Callable[[], Any], then: Callable[[Any], None], otherwise: Failed) -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed over, as threads do
            otherwise(error)
            return
        self.post(lambda: then(result), otherwise)

    def post(self, call: Callable[[], None], otherwise: Failed, *, after_s: float = 0.0) -> None:
        del after_s
        with self._turn:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - handed over, as threads do
                otherwise(error)


class WhenTold(AtOnce):
    """Keeps the work until `run()`."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []

    def start(self, work: Callable[[], Any], then: Callable[[Any], None], otherwise: Failed) -> None:
        begin = super().start
        self.waiting.append(lambda: begin(work, then, otherwise))

    def run(self, *, last_first: bool = False) -> None:
        """Do what waits, and what that asks for."""
        while self.waiting:
            self.waiting.pop(-1 if last_first else 0)()
