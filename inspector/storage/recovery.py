"""After a crash: what the spool still holds becomes rows, before the station says it is ready.

Nothing is answered here: a part whose answer is not known to have left was never answered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from inspector.domain import Findings, Inspection, Reason, Verdict
from inspector.errors import RecordRefused
from inspector.storage.spool import Leftover, OpenTicket, Settlement, Spool
from inspector.storage.store import Store

_WITHOUT_CANDIDATE = {
    "deadline": (Reason.DEADLINE, "the deadline came before anything was judged"),
    "stopping": (Reason.STOPPING, "the station stopped before anything was judged"),
}
_MAYBE_SENT = "the station ended as this answer was leaving; the PLC may not have got it"
_INTERRUPTED = (Reason.INTERRUPTED, "the station ended while the ticket was open")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """Which parts became rows, and what could not be read (one line each).

    `settled` were judged and answered, `unsettled` judged but not answered, `interrupted` not
    judged. Of `uncertain` it is not known whether the answer left: it was on its way. `torn` files,
    of which no row could be made, lie beside the spool's, named `.torn`.
    """

    settled: tuple[UUID, ...] = ()
    unsettled: tuple[UUID, ...] = ()
    uncertain: tuple[UUID, ...] = ()
    interrupted: tuple[UUID, ...] = ()
    torn: tuple[str, ...] = ()


def recover(spool: Spool, store: Store) -> RecoveryReport:
    """Record every leftover of `spool`, then remove it; running it again changes nothing.

    A candidate without settlement becomes the row that it describes, with nothing sent. Where the
    answer may have left, the row says that it did, since a PASS that a PLC acted on must not be
    denied; its detail says the doubt, and a person is asked to look.

    Raises `StorageError` where the database refuses; what is not recorded stays in the spool.
    """
    settled: list[UUID] = []
    unsettled: list[UUID] = []
    uncertain: list[UUID] = []
    interrupted: list[UUID] = []
    torn: list[str] = []
    for leftover in spool.leftovers():
        torn.extend(leftover.torn)
        inspection = _inspection(leftover)
        if inspection is None:
            spool.set_aside(leftover.id)
            continue
        is_uncertain = leftover.settlement is not None and not leftover.settlement.is_certain
        try:
            store.record(inspection, needs_review=is_uncertain)
        except RecordRefused as exc:
            # one record must not keep all the others, and the station, waiting
            torn.append(f"{spool.set_aside(leftover.id)}: {exc}")
            continue
        spool.remove(leftover.id)
        if leftover.candidate is None:
            interrupted.append(leftover.id)
        elif leftover.settlement is None:
            unsettled.append(leftover.id)
        elif is_uncertain:
            uncertain.append(leftover.id)
        else:
            settled.append(leftover.id)
    return RecoveryReport(
        settled=tuple(settled),
        unsettled=tuple(unsettled),
        uncertain=tuple(uncertain),
        interrupted=tuple(interrupted),
        torn=tuple(torn),
    )


def _inspection(leftover: Leftover) -> Inspection | None:
    settlement = leftover.settlement
    if leftover.candidate is not None:
        inspection = leftover.candidate
    elif leftover.ticket is not None:
        inspection = held(leftover.ticket, _verdict_without_candidate(settlement))
    else:
        return None
    if settlement is None:
        return replace(inspection, sent_decision=None, sent_at=None)
    if not settlement.is_certain:
        doubt = f"{inspection.verdict.detail}; {_MAYBE_SENT}"
        inspection = replace(inspection, verdict=replace(inspection.verdict, detail=doubt))
    return settlement.applied_to(inspection)


def _verdict_without_candidate(settlement: Settlement | None) -> Verdict:
    reason, detail = _INTERRUPTED
    if settlement is not None:
        reason, detail = _WITHOUT_CANDIDATE.get(settlement.by, _INTERRUPTED)
    return Verdict.held(reason, detail)


def held(ticket: OpenTicket, verdict: Verdict) -> Inspection:
    """Return the row of a ticket for which nothing was judged."""
    return Inspection(
        id=ticket.id,
        station_id=ticket.station_id,
        camera_id=ticket.camera_id,
        request_id=ticket.request_id,
        part_id=ticket.part_id,
        lot=ticket.lot,
        view=ticket.view,
        product=ticket.product,
        recipe=ticket.recipe,
        recipe_rev=ticket.recipe_rev,
        standard_rev=ticket.standard_rev,
        triggered_at=ticket.triggered_at,
        captured_at=None,
        findings=Findings(),
        judgement=None,
        verdict=verdict,
        expected=ticket.expected,
    )
