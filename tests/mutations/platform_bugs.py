"""Bugs of the embedded platform: keys, attempt numbers, and what was called off."""

from __future__ import annotations

from tests.mutations.bug import Bug

ACTIONS = "tests/server/test_actions.py"
PIPELINE = "tests/server/test_pipeline_retries.py"
STORM = "tests/faults/test_storm_socket.py"

PLATFORM_BUGS = (
    Bug(
        name="act twice under one key",
        path="server/deeds.py",
        old="""                self._database.hold(connection, intent.key)
                _raise_if_answered(connection, intent)""",
        new="""                self._database.hold(connection, intent.key)""",
        tests=(ACTIONS, STORM),
    ),
    Bug(
        name="forget the answer of a key",
        path="server/deeds.py",
        old="""            if intent.key is not None:
                ledger.remember(connection, intent.key, intent.fingerprint, answer, ledger.now())
            return answer""",
        new="""            return answer""",
        tests=(ACTIONS,),
    ),
    Bug(
        name="give the answer of a key to any request",
        path="server/deeds.py",
        old="    if stored.fingerprint != intent.fingerprint:",
        new="    if not stored.fingerprint:",
        tests=(ACTIONS, PIPELINE),
    ),
    Bug(
        name="act on a key that was called off",
        path="server/deeds.py",
        old="    if stored.called_off:",
        new="    if stored.called_off and intent.key is None:",
        tests=("tests/server/test_keys.py",),
    ),
    Bug(
        name="compare the state instead of the attempt number",
        path="server/verdicts.py",
        old="    if expected is not None and found != expected:",
        new="    if expected is not None and found < expected:",
        tests=(ACTIONS, PIPELINE),
    ),
    Bug(
        name="forget the keys of a batch's items",
        path="server/actions.py",
        old="""    if intent.key is not None:
        ledger.remember(connection, intent.key, intent.fingerprint, Answer(status=200, body=item), ledger.now())""",
        new="",
        tests=(ACTIONS, PIPELINE, STORM),
    ),
    Bug(
        name="send no attempt number",
        path="platforms/pipeline_calls.py",
        old="""        if expected is not None:
            body["expected_retry_count"] = expected
        answer = self._transport.write("POST", _path(task_id, "retry-from-stage")""",
        new="""        answer = self._transport.write("POST", _path(task_id, "retry-from-stage")""",
        tests=("tests/platforms/test_embedded.py",),
    ),
    Bug(
        name="reset every failed stage",
        path="platforms/pipeline_calls.py",
        old="""_path(task_id, "retry-from-stage"), body, key=""",
        new="""_path(task_id, "retry"), body, key=""",
        tests=("tests/platforms/test_pipeline.py",),
    ),
    Bug(
        name="write through a read-only connection",
        path="platforms/transport.py",
        old="""        if self._read_only:
            raise ReadOnly""",
        new="""        if self._read_only and not self._base:
            raise ReadOnly""",
        tests=("tests/platforms/test_transport.py",),
    ),
)
