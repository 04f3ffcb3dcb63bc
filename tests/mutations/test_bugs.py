"""The seeded bugs fit the source: each is one place in one file, and is really another program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutations.bug import PACKAGE, Bug, Unfit
from tests.mutations.bugs import BUGS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_fits(bug: Bug) -> None:
    """Its text is found exactly once, its change compiles, and the tests that must notice it exist."""
    source = (ROOT / PACKAGE / bug.path).read_text()
    changed = bug.changed(source)
    assert changed != source
    compile(changed, bug.path, "exec")
    assert all((ROOT / test.partition("::")[0]).exists() for test in bug.tests)


def test_there_are_enough() -> None:
    """At least twenty, each with a name of its own."""
    names = {bug.name for bug in BUGS}
    assert len(names) == len(BUGS) >= 20


def test_a_bug_that_does_not_fit_says_so() -> None:
    """Text that is missing or ambiguous is refused."""
    bug = Bug(name="none", path="errors.py", old="Exception", new="ValueError", tests=())
    with pytest.raises(Unfit, match="0 times"):
        bug.changed("")
    with pytest.raises(Unfit, match="2 times"):
        bug.changed("Exception Exception")
