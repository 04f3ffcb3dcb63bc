"""What axe-core finds on a page: rules of WCAG that a machine can check."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from playwright.sync_api import Page

GRAVE: Final = frozenset({"serious", "critical"})

SHELL: Final = ("#rt-lost", ".jp-OutputPrompt", ".lm-Widget.jp-RenderedMarkdown")
"""What Voilà draws around our elements, and what only stands there while a page breaks off."""

_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_RUN: Final = """async ([scope, exclude, rules]) => {
  const context = { include: [[scope]], exclude: exclude.map((selector) => [selector]) };
  const found = await axe.run(context, { resultTypes: ["violations"], runOnly: rules });
  const why = (node) => node.any.map((each) => each.message).join("; ").slice(0, 200);
  const where = (node) => `${node.target.join(" ")}  ${node.html.slice(0, 160)}  ${why(node)}`;
  return found.violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.map(where) }));
}"""


def grave_findings(page: Page, scope: str = "body", exclude: Sequence[str] = SHELL) -> list[str]:
    """Findings that are serious or critical, one line each with the elements that have them.

    The script is evaluated by the debugger, which the page's content security policy does not stop.
    """
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page.evaluate(source)
    found: list[dict[str, Any]] = page.evaluate(_RUN, [scope, list(exclude), _RULES])
    return [
        f"{row['id']} ({row['impact']}): {row['help']}\n    " + "\n    ".join(row["nodes"][:5])
        for row in found
        if row["impact"] in GRAVE
    ]
