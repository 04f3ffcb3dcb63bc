"""How a batch is executed, as the journal keeps it with the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from retry_toolkit.retry.policy import StopRule

MOST_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Canaries of each group, writes at a time, and when to stop."""

    canary: int = 0
    concurrency: int = 4
    stop_after: StopRule = field(default_factory=StopRule)

    def __post_init__(self) -> None:
        if self.canary < 0:
            raise ValueError("canary must not be negative.")
        if not 1 <= self.concurrency <= MOST_AT_ONCE:
            raise ValueError(f"concurrency must be from 1 to {MOST_AT_ONCE}.")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Options as `values` of the journal tell them."""
        known = {name: values[name] for name in ("canary", "concurrency") if name in values}
        return cls(**known, stop_after=StopRule(**values.get("stop_after", {})))

    def values(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)
