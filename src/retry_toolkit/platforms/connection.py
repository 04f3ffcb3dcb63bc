"""What every platform over one transport shares: its name, its address, its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from retry_toolkit.platforms.base import Capabilities, Refusal, Status, TaskRecord
from retry_toolkit.platforms.refusals import judge, refusal
from retry_toolkit.platforms.transport import Transport


class Connection:
    """One connected platform; closes its transport at the end of a `with` block."""

    kind: ClassVar[str]
    """First word of the name that users see."""

    def __init__(self, transport: Transport, capabilities: Capabilities) -> None:
        self._transport = transport
        self._capabilities = capabilities

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.origin!r}, read_only={self.read_only})"

    @property
    def name(self) -> str:
        """What users see."""
        return f"{self.kind} · {self._transport.host}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self._transport.origin

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    @property
    def read_only(self) -> bool:
        """True when this connection refuses everything that writes."""
        return self._transport.read_only

    def close(self) -> None:
        """Release the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _judged(self, task: TaskRecord) -> TaskRecord:
        return judge(task, self._capabilities, read_only=self.read_only)

    def _judge_of(self, status: Status, failed: Iterable[tuple[int, int | None]]) -> Refusal | None:
        """The same of what plain rows tell."""
        return refusal(status, failed, self._capabilities, read_only=self.read_only)
