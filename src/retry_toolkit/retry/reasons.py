"""Why an item is where it is, in words: every sentence that plans and journals say, and the way back to its meaning.

Journals keep sentences, so that they can be read in ten years by whatever reads text. A page in another language reads
the meaning out of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from string import Formatter

_LATE = "A request that was delayed on its way may still be acted on."
_WHOSE = "by this request, or by somebody else at the same time, which this platform does not tell"

SENTENCES: Mapping[str, str] = {
    # Why a task cannot be retried as it stands.
    "gone": "The task does not exist (any more).",
    "hidden": "The task may not be read.",
    "unreadable": "It could not be read: {error}",
    "not_failed": "The task is {status}.",
    "no_stage": "It has no stage '{stage}'.",
    "no_failed_stage": "None of its stages has failed.",
    "stage_gone": "Its stage '{stage}' is gone.",
    "stage_not_failed": "Its stage '{stage}' has not failed: it is {status}.",
    "limit_reached": "The retry limit of '{stage}' is reached ({count}/{limit}).",
    "files_missing": "{count} of its input files are gone.",
    "attempt_moved": "Its attempt number has moved from {before} to {now}: somebody else has retried it.",
    "retries_moved": "The number of its retries has moved from {before} to {now}: somebody else has retried it.",
    # Why nothing was sent.
    "not_sent": "Not sent: {why}",
    "batch_cancelled": "The batch was cancelled.",
    "no_evidence": "Its evidence could not be kept: {error}",
    "named_twice": "It is named twice.",
    "planned_elsewhere": "It is planned in batch {batch} already: resume or cancel that one.",
    "sent_elsewhere": "Batch {batch} has sent it already: resume that one to learn the answer.",
    "unclear_elsewhere": "Batch {batch} has sent it already without a clear answer: settle it there.",
    "done_elsewhere": "Batch {batch} has retried it already.",
    "stopped_unclear": "Stopped: {count} in a row got no clear answer.",
    "stopped_refused": "Stopped: {count} in a row were refused by the platform.",
    "stopped_away": "Stopped: {count} in a row could not be sent, because the platform cannot be reached.",
    "stopped_canary": "Stopped: another task with the same error was retried, and failed with it again.",
    "nothing_left": "Nothing left this machine.",
    # What an answer, or none, says.
    "refused": "The platform said no.",
    "forbidden": "The platform does not permit it.",
    "no_answer": "It was sent, and no clear answer came back.",
    "bad_answer": "It was sent, and what came back cannot be understood.",
    "interrupted": "It may have been sent when {error} ended it.",
    "process_ended": "It was sent, and its process ended before an answer was recorded.",
    "other_task": "The answer is about another task or stage.",
    "other_attempt": "The answer tells of {found} retries of '{stage}', not of {wanted}.",
    "not_shown": "The platform says yes without showing the task.",
    "no_new_task": "The answer names the new task '{task}', which does not exist.",
    "foreign_task": "The answer names the new task '{task}', which is no retry of this one.",
    "unconfirmed": "The platform answered, but could not be looked at afterwards.",
    # What a look at the platform shows.
    "unread": "It could not be read back: {error}",
    "stage_not_shown": "The task does not show the stage '{stage}' any more.",
    "not_moved": f"At {{time}} the attempt number of '{{stage}}' was still {{count}}. {_LATE}",
    "no_retry": f"At {{time}} the task had no new retry. {_LATE}",
    "not_acted": f"At {{time}} the platform had not acted on this request. {_LATE}",
    "many_retries": "The task has {count} new retries, and which of them is this one cannot be told apart.",
    "moved": f"No clear answer came, but the attempt number moved to {{count}}: {_WHOSE}.",
    "new_retry": f"No clear answer came, but the task has a new retry: {_WHOSE}.",
    "acted": "The platform shows that it acted on this request.",
    "called_off": "The platform had not acted on it, and was asked never to: it can be planned again.",
    "seen_done": "Somebody looked, and found that it was done.",
    "seen_undone": "Somebody looked, and found that it was not done.",
    # How an accepted retry goes on.
    "unwatched": "Accepted; it could not be watched: {error}",
    "succeeded": "The task succeeded.",
    "cancelled": "The task was cancelled.",
    "deleted": "The task was deleted; how it would have ended is not known.",
    "retried_since": "'{stage}' has been retried again since.",
    "failed_later": "The task failed again at '{stage}', a later stage.",
    "failed_at": "The task failed again at '{stage}'.",
    "failed": "The task failed again.",
}
"""The sentence of each reason; what it names is in braces."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The meaning of a sentence: its key in `SENTENCES`, and what it names."""

    key: str
    values: Mapping[str, str] = field(default_factory=dict)


def say(key: str, **values: object) -> str:
    """The sentence of a reason."""
    return SENTENCES[key].format_map(values)


def read(words: str) -> Reason | None:
    """The meaning of a sentence of `say`; None for other words, such as what a person noted."""
    for key, pattern in _patterns().items():
        found = pattern.fullmatch(words)
        if found is not None:
            return Reason(key, found.groupdict())
    return None


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """The longest sentence first: a short one with a name in it can mean anything."""
    longest_first = sorted(SENTENCES.items(), key=lambda pair: -len(pair[1]))
    return {key: re.compile(_pattern(sentence), re.DOTALL) for key, sentence in longest_first}


def _pattern(sentence: str) -> str:
    return "".join(
        re.escape(literal) + (f"(?P<{name}>.*)" if name else "")
        for literal, name, _format, _conversion in Formatter().parse(sentence)
    )
