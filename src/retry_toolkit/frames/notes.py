"""What a load could not read, said where users see it: in a warning, and in the attributes of the frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from retry_toolkit.frames.columns import SetAside
from retry_toolkit.platforms.base import Rejected


class RejectedRows(UserWarning):
    """Some rows or values could not be read; `frame.attrs["rejected"]` and `["set_aside"]` tell which, and why."""


class IncompleteLoad(UserWarning):
    """Another number of tasks came than the platform says that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What there is to say of a load.

    Attributes:
        rejected: Rows that could not be read.
        set_aside: Values that could not be read, in rows that could.
        difference: How the number of tasks differs from what the platform says, or None.
    """

    rejected: Sequence[Rejected] = ()
    set_aside: Sequence[SetAside] = ()
    difference: str | None = None

    def on(self, frame: pd.DataFrame, *, level: int = 2) -> pd.DataFrame:
        """The frame with these notes in its `attrs`; warns the `level`-th caller up of what there is to warn of."""
        frame.attrs |= self.attrs
        self.warn(level=level + 1)
        return frame

    @property
    def attrs(self) -> dict[str, Any]:
        """Plain values, because Parquet writes them as JSON."""
        return {
            "rejected": [asdict(row) for row in self.rejected],
            "set_aside": [asdict(value) for value in self.set_aside],
        }

    def warn(self, *, level: int = 2) -> None:
        """Warn the `level`-th caller up."""
        for message, kind in self._warnings():
            warnings.warn(message, kind, stacklevel=level + 1)

    def _warnings(self) -> Iterator[tuple[str, type[UserWarning]]]:
        lost = []
        if self.rejected:
            why = f"{self.rejected[0].path}: {self.rejected[0].reason}"
            lost.append(f"{len(self.rejected)} row(s) could not be read, the first because {why}")
        if self.set_aside:
            why = f"{self.set_aside[0].path} of {self.set_aside[0].task_id!r} {self.set_aside[0].reason}"
            lost.append(f"{len(self.set_aside)} value(s) could not be read and are missing, the first because {why}")
        if lost:
            yield "; ".join(lost), RejectedRows
        if self.difference:
            yield self.difference, IncompleteLoad
