"""What lineages cost in running time, tokens and money: until they recovered, in vain, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, get_args

import pandas as pd
from traitlets import HasTraits, Instance, Unicode

from retry_toolkit.analysis.ledger import cost_ledger, spending
from retry_toolkit.panels.state.catalog import CatalogState
from retry_toolkit.panels.state.following import REST_S, Following
from retry_toolkit.panels.state.problems import Problem, explain
from retry_toolkit.panels.state.session import Session

Measure = Literal["seconds", "tokens", "cost"]
Key = Literal["project", "template", "day"]
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
KEYS: Final[tuple[Key, ...]] = get_args(Key)
_UNTIL: Final = {"seconds": "s_to_recovery", "tokens": "tokens_to_recovery", "cost": "cost_to_recovery"}


@dataclass(frozen=True, slots=True)
class Until:
    """What recovered lineages spent up to their first success; of `unknown` ones a part is not known."""

    lineages: int
    amounts: Mapping[Measure, float | None]
    unknown: Mapping[Measure, int]


@dataclass(frozen=True, eq=False)
class Account:
    """What was spent.

    `by_outcome` is `spending` by outcome; `tables` are `spending` by each key, with `vain_lineages` and, for each
    measure, `vain_<measure>`: what lineages spent that failed in the end. `known` are the measures that are told of
    any task; platforms that do not count one tell 0 of all of them.
    """

    by_outcome: pd.DataFrame
    tables: Mapping[Key, pd.DataFrame]
    until: Until
    known: tuple[Measure, ...]

    def of(self, outcome: str) -> Mapping[str, object] | None:
        """The row of one outcome; None where no lineage has it."""
        rows = self.by_outcome[self.by_outcome["outcome"] == outcome].to_dict("records")
        return {str(key): value for key, value in rows[0].items()} if rows else None


def make_account(tasks: pd.DataFrame) -> Account:
    """What the lineages of these tasks cost."""
    ledger = cost_ledger(tasks)
    vain = ledger[ledger["outcome"] == "failed"]
    return Account(
        by_outcome=spending(ledger),
        tables={key: _with_vain(spending(ledger, key), spending(vain, key), key) for key in KEYS},
        until=_until(ledger[ledger["outcome"] == "recovered"]),
        known=tuple(name for name in MEASURES if bool((ledger[name].fillna(0) > 0).any())),
    )


def _with_vain(table: pd.DataFrame, vain: pd.DataFrame, key: Key) -> pd.DataFrame:
    """`table` with what of it was in vain: 0 where nothing failed, missing where what failed is unknown."""
    columns = {name: f"vain_{name}" for name in ("lineages", *MEASURES)}
    part = vain[[key, *columns]].rename(columns=columns)
    if key != "day":
        table, part = (frame.assign(**{key: frame[key].astype("object")}) for frame in (table, part))
    joined = table.merge(part, on=key, how="left")
    nothing = joined["vain_lineages"].isna()
    return joined.assign(**{name: joined[name].mask(nothing, 0) for name in columns.values()})


def _until(recovered: pd.DataFrame) -> Until:
    amounts: dict[Measure, float | None] = {}
    unknown: dict[Measure, int] = {}
    for name, column in _UNTIL.items():
        total = recovered[column].sum(min_count=1)
        amounts[name] = None if pd.isna(total) else float(total)  # type: ignore[index]  # the measures
        unknown[name] = int(recovered[column].isna().sum())  # type: ignore[index]  # the measures
    return Until(len(recovered), amounts, unknown)


class SpendingState(HasTraits):
    """`account` follows the catalog while it is shown; `measure` and `key` choose what of it is drawn."""

    account = Instance(Account, allow_none=True)
    problem = Instance(Problem, allow_none=True)
    measure = Unicode("seconds")
    key = Unicode("project")

    def __init__(self, session: Session, catalog: CatalogState, *, rest_s: float = REST_S) -> None:
        super().__init__()
        self._catalog = catalog
        self._following = Following(session, self._work, self._made, failed=self._failed, rest_s=rest_s)
        catalog.observe(lambda _: self._following.ask(), names="catalog")

    def show(self, shown: bool) -> None:
        """Keep the account up to date from now on, or no longer."""
        self._following.turn(shown)

    def reload(self) -> None:
        """Make the account again."""
        self.problem = None
        self._following.ask()

    def draw(self, measure: str | None = None, key: str | None = None) -> None:
        """Draw this measure, by this key; what does not exist changes nothing."""
        if measure in MEASURES:
            self.measure = measure
        if key in KEYS:
            self.key = key

    def _work(self) -> Callable[[], Account] | None:
        catalog = self._catalog.catalog
        return None if catalog is None else partial(make_account, catalog.tasks)

    def _made(self, account: Account) -> None:
        with self.hold_trait_notifications():
            self.problem, self.account = None, account
            if self.measure not in account.known and account.known:
                self.measure = account.known[0]

    def _failed(self, error: Exception) -> None:
        self.problem = explain(error)
