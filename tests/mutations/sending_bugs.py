"""Bugs of whoever sends: too often, too early, or believing what is not so."""

from __future__ import annotations

from tests.mutations.bug import Bug

EXECUTE = "tests/retry/test_execute.py"
STORM = "tests/faults/test_storm_wire.py"

SENDING_BUGS = (
    Bug(
        name="commit SENT after sending",
        path="retry/sending.py",
        old="""        claimed = self._claims.claim([one.item.op_id], evidence)
        if not claimed:
            return self._unclaimed(one.item)
        return self._settled(claimed[0], _outcome_of(lambda: self._write(claimed[0])))""",
        new="""        outcome = _outcome_of(lambda: self._write(one.item))
        claimed = self._claims.claim([one.item.op_id], evidence)
        if not claimed:
            return self._unclaimed(one.item)
        return self._settled(claimed[0], outcome)""",
        tests=(EXECUTE,),
    ),
    Bug(
        name="send a batch call before its items are SENT",
        path="retry/sending.py",
        old="answers = self._write_together(list(claimed.values())) if claimed else {}",
        new="answers = early",
        tests=(EXECUTE,),
    ),
    Bug(
        name="resend on a read time-out",
        path="platforms/transport.py",
        old="""    httpx.ConnectTimeout,
""",
        new="""    httpx.ConnectTimeout,
    httpx.ReadTimeout,
""",
        tests=(STORM,),
    ),
    Bug(
        name="resend after a reset connection",
        path="platforms/transport.py",
        old="""    httpx.ConnectTimeout,
""",
        new="""    httpx.ConnectTimeout,
    httpx.ReadError,
    httpx.WriteError,
""",
        tests=(STORM,),
    ),
    Bug(
        name="repeat writes like reads",
        path="platforms/transport.py",
        old="""            return self._exchange(self._writer, request, self._clock.elapsed() + self._bounds.total_s)
        except _NEVER_LEFT""",
        new="""            return self._read_patiently(request)
        except _NEVER_LEFT""",
        tests=(STORM,),
    ),
    Bug(
        name="take an unclear answer for not sent",
        path="retry/classify.py",
        old='return unknown(say("no_answer"), words, busy=error.status in BUSY, wait_s=error.retry_after_s)',
        new='return Verdict(state="NOT_SENT", reason=words, again=True)',
        tests=(STORM,),
    ),
    Bug(
        name="treat 500 as refused",
        path="platforms/answers.py",
        old="    if _is_unclear(answer):",
        new="""    if answer.status == 500:
        raise Refused(answer.detail(), status=answer.status)
    if _is_unclear(answer):""",
        tests=(STORM,),
    ),
    Bug(
        name="treat 408 and 429 as refused",
        path="platforms/answers.py",
        old="    if _is_unclear(answer):",
        new="""    if answer.status in {408, 429}:
        raise Refused(answer.detail(), status=answer.status)
    if _is_unclear(answer):""",
        tests=(STORM,),
    ),
    Bug(
        name="treat a gateway's error as refused",
        path="platforms/answers.py",
        old="    if _is_unclear(answer):",
        new="""    if answer.status in {502, 503, 504}:
        raise Refused(answer.detail(), status=answer.status)
    if _is_unclear(answer):""",
        tests=(STORM,),
    ),
    Bug(
        name="call an error of the server unavailable instead of unclear",
        path="platforms/answers.py",
        old="        case _:\n            return not answer.ok",
        new="        case _:\n            return False",
        tests=("tests/platforms/test_unclear.py",),
    ),
    Bug(
        name="read every server error as a refusal",
        path="retry/classify.py",
        old="""        case Refused():
            return _rejected""",
        new="""        case Refused() | UnclearOutcome():
            return _rejected""",
        tests=(STORM,),
    ),
    Bug(
        name="believe an empty answer",
        path="platforms/pipeline_calls.py",
        old="""        task = self._answered_task(answer, task_id)
        stage =""",
        new="""        if answer is None:
            old = self.task(task_id)
            moved = tuple(replace(one, retry_count=one.retry_count + (one.stage_id == stage_id)) for one in old.stages)
            return StageRetry(task=replace(old, stages=moved), stage_id=stage_id, attempt=(before or 0) + 2)
        task = self._answered_task(answer, task_id)
        stage =""",
        tests=(STORM,),
    ),
    Bug(
        name="believe an answer about another task",
        path="platforms/pipeline_calls.py",
        old="""        if task_id not in {None, task.task_id}:
            raise UnclearOutcome(f"The answer is about another task than {task_id}.")""",
        new="",
        tests=("tests/platforms/test_pipeline.py",),
    ),
    Bug(
        name="believe a look at another task",
        path="platforms/guards.py",
        old="    if told != asked:",
        new="    if not told:",
        tests=("tests/faults/test_wire.py",),
    ),
    Bug(
        name="believe a refusal that the own request caused",
        path="retry/classify.py",
        old="_OF_THE_STATE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT})",
        new="_OF_THE_STATE = frozenset({HTTPStatus.CONFLICT})",
        tests=(STORM,),
    ),
    Bug(
        name="believe a new task without a look",
        path="retry/classify.py",
        old="""        new_task_id=answer.new_task_id,
        doubtful=True,""",
        new="""        new_task_id=answer.new_task_id,""",
        tests=(EXECUTE, STORM),
    ),
    Bug(
        name="compare state instead of attempt before sending",
        path="retry/judge.py",
        old="    if stage.retry_count != intent.attempt:",
        new="    if stage.status != 'failed':",
        tests=(EXECUTE,),
    ),
    Bug(
        name="take any progress for one's own retry",
        path="retry/lookback.py",
        old="    if stage.retry_count <= intent.attempt:",
        new="    if stage.retry_count < intent.attempt:",
        tests=(STORM,),
    ),
    Bug(
        name="give a request up because nothing was seen",
        path="retry/lookback.py",
        old='return unknown(say("not_moved", ',
        new='return Verdict(state="REJECTED", reason=say("not_moved", ',
        tests=(STORM,),
    ),
    Bug(
        name="give a request up without calling it off",
        path="retry/lookback.py",
        old="            told = [platform.call_off(key) for key in item.keys]",
        new='            told = [Recalled(state="called_off")]',
        tests=("tests/retry/test_execute_watch.py",),
    ),
    Bug(
        name="forget the evidence",
        path="retry/sending.py",
        old="        return self._evidence.save(task, self._logs(task), origin=self._platform.origin)",
        new="        return None",
        tests=(EXECUTE,),
    ),
    Bug(
        name="keep the report without its log",
        path="retry/sending.py",
        old="self._evidence.save(task, self._logs(task), origin",
        new="self._evidence.save(task, (), origin",
        tests=(EXECUTE, "tests/retry/test_execute_live.py"),
    ),
    Bug(
        name="send although the evidence could not be kept",
        path="retry/sending.py",
        old="        return self._evidence.save(task, self._logs(task), origin=self._platform.origin)",
        new="""        try:
            return self._evidence.save(task, self._logs(task), origin=self._platform.origin)
        except JournalError:
            return None""",
        tests=(EXECUTE,),
    ),
    Bug(
        name="take a stale look for the end",
        path="retry/watch.py",
        old="        if stage is None or stage.retry_count < after:",
        new="        if stage is None:",
        tests=("tests/retry/test_execute_watch.py", "tests/retry/test_execute.py"),
    ),
    Bug(
        name="never stop after unclear answers",
        path="retry/policy.py",
        old="        self._counts[state] += 1",
        new='        self._counts[state] += state != "UNKNOWN"',
        tests=("tests/retry/test_execute_policy.py", EXECUTE),
    ),
    Bug(
        name="execute a plan that was changed after it was shown",
        path="retry/execute.py",
        old="    if plan.hash != plan.content_hash():",
        new="    if not plan.hash:",
        tests=(EXECUTE,),
    ),
)
