"""A process that claims every item of a batch in an order of its own, and says which it got.

`python -m tests.retry.claimant HOME BATCH [--seed N] [--driver NAME] [--largest BYTES] [--lease] [--fork]`
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import resource
import sys
from pathlib import Path

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.journal import Journal


def main() -> None:
    """Open, say ready, wait for a line, claim."""
    options = _options()
    driver = importlib.import_module(options.driver) if options.driver else None
    with Journal.open(options.home, driver=driver) as journal:
        if options.lease:
            assert journal.lease(options.batch, actor="claimant") is not None
        child = _fork() if options.fork else None
        ops = [item.op_id for item in journal.items(options.batch)]
        random.Random(options.seed).shuffle(ops)
        _say("ready")
        if child is not None:
            _say(str(child))
        sys.stdin.readline()
        if options.largest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (options.largest, options.largest))
        for op_id in ops:
            try:
                if journal.claim(op_id, options.batch, actor="claimant") is not None:
                    _say(op_id)
            except JournalError as error:
                _say(f"refused {error}")
                return


def _fork() -> int:
    """A child that does nothing but live, until its standard input ends."""
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(here, b"!")
        os.close(1)  # whoever reads our output must not wait for the child
        sys.stdin.readline()
        os._exit(0)
    os.read(there, 1)
    return child


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("batch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--driver")
    parser.add_argument("--largest", type=int)
    parser.add_argument("--lease", action="store_true")
    parser.add_argument("--fork", action="store_true")
    return parser.parse_args()


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
