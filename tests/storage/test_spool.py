from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from storage_builders import NOON, part, settlement, ticket

from inspector.domain import Decision, Findings
from inspector.errors import StorageError
from inspector.storage.spool import Leftover, Spool


def only(spool: Spool) -> Leftover:
    (leftover,) = spool.leftovers()
    return leftover


def file_of(spool: Spool) -> Path:
    (path,) = spool.folder.iterdir()
    return path


def test_a_ticket_its_candidate_and_its_settlement_are_found_after_a_restart(spool: Spool):
    opened = ticket()
    judged, settled = part(of=opened), settlement(opened.id)
    spool.open_ticket(opened)
    spool.candidate(judged)
    spool.settle(settled)
    found = only(Spool(spool.folder))
    assert found == Leftover(id=opened.id, ticket=opened, candidate=judged, settlement=settled)


def test_a_removed_ticket_is_gone_and_removing_it_again_is_no_error(spool: Spool):
    opened = ticket()
    spool.open_ticket(opened)
    spool.remove(opened.id)
    spool.remove(opened.id)
    assert spool.leftovers() == ()


def test_the_newest_candidate_and_the_newest_settlement_count(spool: Spool):
    opened = ticket()
    spool.open_ticket(opened)
    spool.candidate(part(of=opened, decision=Decision.FAIL))
    spool.candidate(part(of=opened, decision=Decision.PASS))
    spool.settle(settlement(opened.id, sent=Decision.PASS), durable=False)
    spool.settle(settlement(opened.id, sent=Decision.HOLD, by="deadline"))
    found = only(spool)
    assert found.candidate == part(of=opened, decision=Decision.PASS)
    assert found.settlement == settlement(opened.id, sent=Decision.HOLD, by="deadline")


def test_leftovers_come_in_the_order_of_their_triggers(spool: Spool):
    tickets = [ticket(at=NOON + timedelta(seconds=s)) for s in (3, 1, 2)]
    for opened in tickets:
        spool.open_ticket(opened)
    found = [leftover.ticket for leftover in spool.leftovers()]
    assert found == [tickets[1], tickets[2], tickets[0]]


def test_a_file_cut_at_any_byte_keeps_every_complete_line_before_the_cut(spool: Spool):
    opened = ticket()
    judged = replace(part(of=opened), findings=Findings(), judgement=None)
    settled = settlement(opened.id)
    ends = []
    for write in (
        lambda: spool.open_ticket(opened),
        lambda: spool.candidate(judged),
        lambda: spool.settle(settled),
    ):
        write()
        ends.append(file_of(spool).stat().st_size)
    path, whole = file_of(spool), file_of(spool).read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = only(spool)
        # the line feed that ends a line is not part of what must be read
        complete = [cut >= end - 1 for end in ends]
        assert found.ticket == (opened if complete[0] else None), cut
        assert found.candidate == (judged if complete[1] else None), cut
        assert found.settlement == (settled if complete[2] else None), cut
        starts = [0, *ends[:-1]]
        is_torn = cut <= 1 or any(
            start + 1 < cut < end - 1 for start, end in zip(starts, ends, strict=True)
        )
        assert len(found.torn) == is_torn, cut


def test_what_is_written_after_a_torn_line_is_read(spool: Spool):
    opened = ticket()
    judged, settled = part(of=opened), settlement(opened.id)
    spool.open_ticket(opened)
    end_of_ticket = file_of(spool).stat().st_size
    spool.candidate(judged)
    path, whole = file_of(spool), file_of(spool).read_bytes()
    for cut in range(end_of_ticket, len(whole), 7):
        path.write_bytes(whole[:cut])
        spool.settle(settled)
        found = only(spool)
        assert (found.ticket, found.settlement) == (opened, settled), cut


def test_a_changed_byte_is_reported_and_spoils_no_other_line(spool: Spool):
    opened = ticket()
    spool.open_ticket(opened)
    end_of_ticket = file_of(spool).stat().st_size
    spool.candidate(part(of=opened))
    path = file_of(spool)
    content = bytearray(path.read_bytes())
    for at in range(end_of_ticket + 1, len(content) - 1, 5):
        changed = content.copy()
        changed[at] ^= 0x10
        path.write_bytes(changed)
        found = only(spool)
        assert found.ticket == opened, at
        assert found.candidate is None, at
        assert found.torn, at


def test_a_torn_line_is_reported_with_its_file_and_what_is_missing(spool: Spool):
    spool.open_ticket(ticket())
    path = file_of(spool)
    path.write_bytes(path.read_bytes()[:-10])
    (line,) = only(spool).torn
    assert path.name in line
    assert "expected a ticket of" in line


def test_a_ticket_of_another_version_is_reported_and_not_raised(spool: Spool):
    odd = replace(ticket(), expected={})
    spool.open_ticket(odd)
    path = file_of(spool)
    path.write_bytes(b"\nticket 2 " + b"0" * 64 + b" {}\n")
    assert only(spool).ticket is None


def test_other_files_in_the_folder_are_left_alone(spool: Spool):
    (spool.folder / "notes.ticket").write_text("mine")
    assert spool.leftovers() == ()
    assert (spool.folder / "notes.ticket").read_text() == "mine"


def test_a_file_set_aside_is_no_leftover_any_more(spool: Spool):
    opened = ticket()
    spool.open_ticket(opened)
    aside = spool.set_aside(opened.id)
    assert aside.is_file()
    assert spool.leftovers() == ()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        Spool(tmp_path / "file" / "spool")


def test_a_settlement_after_the_row_leaves_nothing_behind(spool: Spool):
    opened = ticket()
    spool.open_ticket(opened)
    spool.remove(opened.id)
    spool.settle(settlement(opened.id))
    assert spool.leftovers() == ()
