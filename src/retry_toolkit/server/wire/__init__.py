"""Both dialects on the wire: schemas of answers and bodies, and how records become answers."""

from __future__ import annotations

from retry_toolkit.server.wire.answers import JsonAnswer
from retry_toolkit.server.wire.pipeline import pipeline_task
from retry_toolkit.server.wire.queue import queue_task

__all__ = ["JsonAnswer", "pipeline_task", "queue_task"]
