"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from retry_toolkit.frames.schema import FRAMES

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("name", FRAMES)
def test_every_column_is_documented(name: str) -> None:
    """docs/frames.md lists the columns of each frame as they are, in their order."""
    section = (ROOT / "docs" / "frames.md").read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", section, flags=re.MULTILINE)
    assert rows == [(column.name, column.kind, column.meaning) for column in FRAMES[name]]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Every relative link and picture exists."""
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def test_the_readmes_are_twins() -> None:
    """Both READMEs have the same headings, code blocks and links to documents."""
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh.md"))
    for pattern in (r"^#+ ", r"^```\w*$", r"\]\(docs/\w+\.md\)"):
        assert re.findall(pattern, english, re.MULTILINE) == re.findall(pattern, chinese, re.MULTILINE)
