"""The corpus of the judge: deterministic, balanced, and true."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from inspector.evidence import premise
from inspector.training.corpus import FAMILIES, Pair, make_corpus
from inspector.training.corpus_words import plural_of, with_article
from inspector.training.crops import CropBank
from inspector.training.datasets import DEEPPCB_LABELS


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    return make_corpus(seed=1, count=1500, held_out=False)


def test_the_same_seed_gives_the_same_corpus(pairs: tuple[Pair, ...]) -> None:
    again = make_corpus(seed=1, count=200, held_out=False)
    assert [(p.clause, p.violated) for p in again] == [(p.clause, p.violated) for p in pairs[:200]]
    other = make_corpus(seed=2, count=200, held_out=False)
    assert [p.clause for p in other] != [p.clause for p in again]


def test_violated_and_conforming_are_balanced(pairs: tuple[Pair, ...]) -> None:
    assert 0.42 < np.mean([pair.violated for pair in pairs]) < 0.56


def test_every_family_occurs(pairs: tuple[Pair, ...]) -> None:
    assert {pair.family for pair in pairs} == set(FAMILIES)


def test_held_out_wordings_and_trades_are_not_in_training(pairs: tuple[Pair, ...]) -> None:
    held_out = make_corpus(seed=1, count=600, held_out=True)
    trained = {label for pair in pairs for d in pair.evidence.defects for label in [d.label]}
    new = {d.label for pair in held_out for d in pair.evidence.defects}
    assert {"broken_yarn", "wormhole", "stone"} <= new
    assert not {"broken_yarn", "wormhole", "stone"} & trained
    assert not {p.clause for p in held_out} & {p.clause for p in pairs if p.family == "none"}


def test_no_defect_means_no_violated_prohibition(pairs: tuple[Pair, ...]) -> None:
    prohibitions = {"none", "count", "size", "count and size", "zone", "zone and limit"}
    bare = [p for p in pairs if not p.evidence.defects and p.family in prohibitions]
    assert bare
    assert not any(pair.violated for pair in bare)


def test_only_real_defects_count() -> None:
    crop = np.zeros((64, 64, 3), np.uint8)
    bank = CropBank(by_label=dict.fromkeys(DEEPPCB_LABELS, (crop,)), intact=(crop,))
    pairs = make_corpus(seed=3, count=3000, held_out=False, bank=bank)
    wrong = [p for p in pairs if p.real and not any(p.real)]
    assert wrong
    assert not any(pair.violated for pair in wrong if pair.family in ("none", "count", "zone"))
    pictured = Counter(any(c is not None for c in p.evidence.crops_bgr) for p in pairs)
    assert pictured[False] > 4 * pictured[True] > 0


def test_premises_are_short(pairs: tuple[Pair, ...]) -> None:
    lengths = [len(premise(pair.evidence, pair.clause).split()) for pair in pairs]
    assert np.percentile(lengths, 99) < 120


def test_terms_take_their_plural_and_article() -> None:
    assert plural_of("nick in a track") == "nicks in a track"
    assert plural_of("anomaly") == "anomalies"
    assert plural_of("scratch") == "scratches"
    assert with_article("open circuit") == "an open circuit"
    assert with_article("one-dimensional code") == "a one-dimensional code"
