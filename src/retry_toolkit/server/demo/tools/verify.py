"""Unpack an archive and compare what comes out with its sums; run as a command line of the `archive_check` pipeline.

Exit status: 0 all is well, 1 a sum differs, 2 an archive inside the archive cannot be read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUM_DIFFERS, INNER_BROKEN = 1, 2


def main() -> int:
    """Verify the archive of the stage `pack` against the sums of the stage `checksum`."""
    outputs = Path(os.environ["RT_OUTPUTS"])
    archive = next((outputs / "pack").glob("archive.*"))
    folder = Path("unpacked")
    shutil.unpack_archive(archive, folder, filter="data" if archive.suffix == ".gz" else None)
    say(f"unpacked {archive.name}")
    for line in (outputs / "checksum" / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        expected, name = line.split("  ", 1)
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
            say(f"{name}: FAILED", error=True)
            return SUM_DIFFERS
        say(f"{name}: OK")
    return max((test_inner(path) for path in sorted(folder.glob("*.zip"))), default=0)


def test_inner(path: Path) -> int:
    """Let Python's own zip tool read an archive that lies in the archive."""
    tool = [sys.executable, "-I", "-S", "-m", "zipfile", "-t", str(path)]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    for line in done.stderr.splitlines():
        say(line, error=True)
    if done.returncode:
        say(f"{path.name}: the zip tool ended with exit status {done.returncode}", error=True)
        return INNER_BROKEN
    say(f"{path.name}: {done.stdout.strip()}")
    return 0


def say(text: str, *, error: bool = False) -> None:
    """Write a line to the log."""
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
