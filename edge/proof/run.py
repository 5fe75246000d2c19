"""The run of a proof: parts go on while faults strike one after the other, then the fuzz."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from edge import messages
from edge.proof.campaign import Campaign
from edge.proof.faults import KINDS, Fault, schedule
from edge.proof.ledger import Account, Struck
from edge.proof.line import Line
from edge.proof.plant import BASE, Plant
from edge.proof.processes import require_proc
from edge.proof.strikes import Strikes

DRAINS_WITHIN_S = 60.0
ASK_AGAIN_S = 10.0
STATION = (sys.executable, "-m", "edge.proof.station")


class Proof:
    """One run. One thread."""

    def __init__(
        self,
        folder: Path,
        *,
        triggers: int,
        kinds: tuple[str, ...],
        seed: int,
        payloads: int = 0,
        database: str = "auto",
        station_command: tuple[str, ...] = STATION,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`payloads` are those of the fuzz for each topic; `tell` is told what happens."""
        require_proc()
        chance = random.Random(seed)
        self._plant = Plant(folder, seed=seed, station_command=station_command, database=database)
        self._line = Line(self._plant, tell=tell)
        self._strikes = Strikes(self._plant, self._line, chance=chance)
        self._campaign = Campaign(self._plant, self._line, chance=chance, tell=tell)
        self._triggers = triggers
        self._payloads = payloads
        self._kinds = kinds
        self._seed = seed
        self._tell = tell
        self._started = time.monotonic()

    def run(self) -> Account:
        """Play the schedule and return the account; raise `BrokerError` where nothing starts."""
        plant, line = self._plant, self._line
        self._started = time.monotonic()
        self._tell(f"{plant.broker_name}; {plant.database.name}")
        with plant.built():
            line.link.start()
            try:
                line.await_ready("at the start")
                faults = schedule(self._kinds, triggers=self._triggers, seed=self._seed)
                struck = tuple(self._strike(fault) for fault in faults)
                line.trigger_until(self._triggers)
                return self._close(struck)
            finally:
                line.link.stop()

    def _strike(self, fault: Fault) -> Struck:
        self._line.trigger_until(min(fault.at, self._triggers))
        at_s = round(time.monotonic() - self._started, 1)
        self._tell(f"{at_s:6.1f} s, {len(self._line.ledger.asked)} triggers: {KINDS[fault.kind]}")
        if (why_not := self._strikes.why_not(fault.kind)) is not None:
            self._tell(f"          not run: {why_not}")
            return Struck(kind=fault.kind, at_s=at_s, recovery_s=None, not_run=why_not)
        recovery_s = self._strikes.play(fault.kind)
        back = "it did not recover" if recovery_s is None else f"recovered in {recovery_s:.2f} s"
        self._tell(f"          {back}")
        return Struck(kind=fault.kind, at_s=at_s, recovery_s=recovery_s)

    def _close(self, struck: tuple[Struck, ...]) -> Account:
        plant, line = self._plant, self._line
        fuzz = None
        if self._payloads:
            self._tell(f"          {self._payloads} random and mutated payloads on each topic")
            fuzz = self._campaign.run(self._payloads)
        line.await_that(
            lambda: not line.ledger.open(time.monotonic_ns()) and not any(plant.disk.tickets()),
            within_s=DRAINS_WITHIN_S,
            may_trigger=False,
        )
        self._ask_for_missing()
        rss_after_mb = plant.rss_mb()
        plant.stop_station()
        said_goodbye = time.monotonic() + 0.5
        while time.monotonic() < said_goodbye:
            line.read(wait_s=0.01)
        return line.ledger.account(
            seed=self._seed,
            broker=plant.broker_name,
            database=plant.database.name,
            took_s=time.monotonic() - self._started,
            rows=plant.database.rows(),
            spool_left=len(plant.disk.tickets()),
            faults=struck,
            fuzz=fuzz,
            will_s=tuple(self._strikes.wills_s),
            station_exits=plant.station_exits,
            rss_before_mb=line.rss_before_mb or rss_after_mb,
            rss_after_mb=rss_after_mb,
        )

    def _ask_for_missing(self) -> None:
        """Have sent again what a broker lost that died with it, as an MES would."""
        ledger = self._line.ledger
        give_up = time.monotonic() + DRAINS_WITHIN_S
        asked_at = 0.0
        while missing := ledger.missing_seqs(self._plant.database.rows()):
            if time.monotonic() > give_up:
                return
            settles_until = time.monotonic() + 1.0
            if time.monotonic() - asked_at > ASK_AGAIN_S:
                asked_at = time.monotonic()
                ledger.replayed_from = missing[0]
                after_seq = missing[0] - 1
                order = messages.ReplayOrder(after_seq=after_seq, limit=missing[-1] - after_seq)
                self._line.say(f"{BASE}/{messages.REPLAY}", messages.encode_command(order))
            while time.monotonic() < settles_until:
                self._line.cycle(may_trigger=False)


def account_json(account: Account) -> str:
    """Return an account as one line of JSON, as `prove --json` prints it."""
    content = asdict(account)
    rss = {"before": content.pop("rss_before_mb"), "after": content.pop("rss_after_mb")}
    return json.dumps(
        {"schema": "prove/1", **content, "rss_mb": rss, "ok": account.is_good}, allow_nan=False
    )
