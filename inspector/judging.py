"""Reading and fused judge together, on one part: one probability for each clause, and who decided.

A clause that can be read becomes a check, and code says what the check makes of the evidence; the
fused judge says what it thinks of every clause; a small rule, fitted on known cases, joins the two.
What cannot be read is left to the judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from inspector import statements
from inspector.attribution import influences
from inspector.combining import Combination, Decider, decider
from inspector.decision import Thresholds
from inspector.domain import CheckResult, Clause, Evidence, EvidenceRef, Outcome
from inspector.evidence import named_items
from inspector.models.clause_reader import Reading
from inspector.models.judge import Assessed, FusedJudge, load_judge
from inspector.models.judge_calibration import read_calibration
from inspector.models.reading_cache import CachedReader
from inspector.models.shelf import ASSETS, DESCRIPTION
from inspector.models.word_encoder import load_word_encoder, shipped_word_encoder
from inspector.ontology import Nearest, Taken, load_ontology, subjects, taken, with_taken
from inspector.sight import unseen
from inspector.standard import ANY, CLOSED, World, is_violated, says
from inspector.standard.names import is_meant
from inspector.standard.phrases import quoted
from inspector.statements import Influence

READER = "clause-reader"
READ_IN_PART = (
    "the judge read only a part of the clause or of what was found, or a size is not known"
)
OUTCOMES = {True: "violated", False: "conforms", None: "uncertain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found of one clause of one part; `violated` is None where it is uncertain."""

    clause: Clause
    probability: float
    violated: bool | None
    decided_by: Decider
    statement: str
    evidence: tuple[EvidenceRef, ...]
    reading: Reading | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joined:
    """One clause before its statement; `blind_spot` says why no finding can clear the part."""

    clause: Clause
    probability: float
    by: Decider
    reading: Reading | None
    result: CheckResult | None
    blind_spot: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The judge, the readings of clauses by their text, the rule that joins them, its thresholds.

    Without a reader there is no `rule`, and the judge's word stands; `is_fitted` says whether the
    rule was fitted for this reader. `guesses` are what unknown words are taken for, and `guessed`
    is the world that knows them: it may object to a part, and clears none. One instance serves one
    thread.
    """

    fused: FusedJudge
    readings: Mapping[str, Reading]
    rule: Combination | None
    thresholds: Thresholds
    reader_sha256: str | None = None
    is_fitted: bool = False
    guesses: tuple[Taken, ...] = ()
    guessed: World = CLOSED

    def judge(self, evidence: Evidence, clauses: tuple[Clause, ...]) -> tuple[Judged, ...]:
        """Return what is found of each clause; what is not in the evidence is missing.

        Raises `ModelError` where the judge gives no number.
        """
        assessed = self.fused.assess(evidence, clauses)
        joined = [
            self._joined(evidence, clause, found)
            for clause, found in zip(clauses, assessed, strict=True)
        ]
        to_explain = {
            one.clause: one.probability
            for one in joined
            if one.by == "model" and self.thresholds.says_violated(one.probability) is not False
        }
        causes = influences(self._of_judge, evidence, judged=to_explain, may_go_on=lambda: True)
        return tuple(self._judged(evidence, one, causes.get(one.clause.id, ())) for one in joined)

    def result_of(self, clause: Clause, evidence: Evidence) -> CheckResult | None:
        """Return what the check that was read says of `evidence`, None where there is none.

        A guess counts where it objects; what would conform by a guess stays what it is without.
        """
        reading = self.readings.get(clause.text)
        if reading is None or reading.check is None:
            return None
        result = says(reading.check, evidence, CLOSED)
        here = {*subjects(reading.check), *(defect.label for defect in evidence.defects)}
        guesses = [str(guess) for guess in self.guesses if guess.words in here]
        if not guesses or is_violated(result):
            return result
        by_guess = says(reading.check, evidence, self.guessed)
        if not is_violated(by_guess):
            return result
        return replace(by_guess, statement=f"{by_guess.statement} ({'; '.join(guesses)}.)")

    def blind_spot(self, clause: Clause, evidence: Evidence) -> str | None:
        """Return why a part may not be cleared of `clause`, in words; None where it may.

        What a check cannot tell no judge can: a size nobody measured, an order without the value.
        Nor does it clear a part that nothing was found of a defect whose name nobody knows.
        """
        result = self.result_of(clause, evidence)
        if result is None:
            return unseen(clause.text, evidence)
        if result.outcome is Outcome.UNKNOWN:
            return f"{result.statement[:1].lower()}{result.statement[1:].removesuffix('.')}"
        if result.outcome is Outcome.CONFORMS and (unknown := self._unknown(clause, evidence)):
            return f"nobody knows what {quoted(unknown)} names"
        return None

    def _unknown(self, clause: Clause, evidence: Evidence) -> str | None:
        """Return a defect that was read of `clause` and is neither a known term nor found."""
        graph = load_ontology()
        labels = {defect.label for defect in evidence.defects}
        for words in subjects(self.readings[clause.text].check):
            is_found = any(is_meant(label, words, evidence.product) is True for label in labels)
            if words != ANY and not graph.knows(words) and not is_found:
                return words
        return None

    def _joined(self, evidence: Evidence, clause: Clause, assessed: Assessed) -> _Joined:
        reading = self.readings.get(clause.text)
        result = self.result_of(clause, evidence)
        by_reading = None if result is None else is_violated(result)
        blind_spot = self.blind_spot(clause, evidence)
        p = joined_probability(
            self.rule,
            self.thresholds,
            by_reading=by_reading,
            confidence=0.5 if reading is None else reading.confidence,
            assessed=assessed,
            is_in_sight=blind_spot is None,
        )
        return _Joined(
            clause=clause,
            probability=p,
            by=decider(says_violated=by_reading, judge=assessed.probability, together=p),
            reading=reading,
            result=result,
            blind_spot=blind_spot
            or (None if result is not None or assessed.is_wholly_read else READ_IN_PART),
        )

    def _of_judge(self, evidence: Evidence, clauses: tuple[Clause, ...]) -> tuple[float, ...]:
        """Return P(violated) of each clause as if none of them were read."""
        return tuple(
            joined_probability(
                self.rule,
                self.thresholds,
                by_reading=None,
                confidence=0.5,
                assessed=found,
                is_in_sight=True,
            )
            for found in self.fused.assess(evidence, clauses)
        )

    def _judged(self, evidence: Evidence, one: _Joined, causes: tuple[Influence, ...]) -> Judged:
        violated = self.thresholds.says_violated(one.probability)
        items = named_items(evidence, one.clause.text)
        if one.result is not None and one.result.evidence:
            items = one.result.evidence
        if one.blind_spot is not None and violated is not True:
            statement = statements.undecidable(one.blind_spot, one.probability)
        elif one.result is not None and one.by == "reading" and violated is not None:
            items, statement = one.result.evidence, one.result.statement
        elif one.result is not None and one.by != "model":
            statement = statements.weighed(
                one.result.statement,
                one.probability,
                violated=violated,
                is_opposed=one.by == "combined",
                pass_at=self.thresholds.pass_at,
                fail_at=self.thresholds.fail_at,
            )
        else:
            decisive = tuple(ref for cause in causes for ref in cause.items)
            items = tuple(dict.fromkeys((*decisive, *items)))
            statement = statements.judged(
                evidence,
                one.probability,
                violated=violated,
                pass_at=self.thresholds.pass_at,
                fail_at=self.thresholds.fail_at,
                influences=causes,
            )
        return Judged(
            clause=one.clause,
            probability=one.probability,
            violated=violated,
            decided_by=one.by,
            statement=statement,
            evidence=items,
            reading=one.reading,
        )


def joined_probability(
    rule: Combination | None,
    thresholds: Thresholds,
    *,
    by_reading: bool | None,
    confidence: float,
    assessed: Assessed,
    is_in_sight: bool,
) -> float:
    """Return P(violated) by the rule, or of the judge alone where there is no rule.

    What the judge saw in part, what no camera sees, and what a reading objects to, it may object to
    but never clear.
    """
    p = assessed.probability
    if rule is not None and by_reading is not None:
        p = rule.probability(says_violated=by_reading, confidence=confidence, judge=heard(assessed))
        return p if is_in_sight and not by_reading else max(p, doubtful(thresholds))
    if rule is not None:
        p = rule.probability(says_violated=None, confidence=confidence, judge=p)
    return p if assessed.is_wholly_read and is_in_sight else max(p, doubtful(thresholds))


def heard(assessed: Assessed) -> float:
    """Return the judge's P(violated) as it counts beside a reading: unseen parts clear nothing."""
    p = assessed.probability
    return p if assessed.is_wholly_read else max(p, 0.5)


def doubtful(thresholds: Thresholds) -> float:
    """Return a probability between the thresholds, below one half where that is possible."""
    low, high = thresholds.pass_at, thresholds.fail_at
    return (low + min(high, 0.5)) / 2 if low < 0.5 else (low + high) / 2


def words_taken(
    readings: Iterable[Reading], labels: Iterable[str], nearest: Nearest
) -> tuple[Taken, ...]:
    """Return what unknown words of the readings and unknown labels are taken for."""
    words = [word for reading in readings for word in subjects(reading.check)]
    return taken([*words, *labels], load_ontology(), nearest)


def shipped_reader() -> str | None:
    """Return the name of the shipped clause reader, None where this installation has none."""
    return READER if (ASSETS / READER / DESCRIPTION).is_file() else None


def load_judging(
    texts: Sequence[str],
    *,
    model: str,
    reader: str | None,
    labels: Iterable[str] = (),
    threads: int | None = None,
    as_calibrated: bool = True,
) -> Judging:
    """Return the judge of that name or folder, with the reading of each clause of `texts`.

    Without a `reader` the judge is asked alone. With one that the judge was not calibrated with, or
    not `as_calibrated`, their odds are multiplied, and the thresholds of the judge alone stand.
    Words of the readings, and `labels` of the detector, that the ontology does not know are taken
    for the nearest that it knows, where a word encoder is installed.
    `threads` is the number of CPU threads that torch may use in this process.
    Raises `ModelError` where a model is missing or damaged.
    """
    fused = load_judge(model, threads=threads)
    calibration = read_calibration(model) if as_calibrated else None
    if reader is None:
        return Judging(fused=fused, readings={}, rule=None, thresholds=fused.thresholds)
    cached = CachedReader(name=reader)
    fitted = None if calibration is None else calibration.with_reader(cached.sha256)
    readings = cached.read_clauses(texts)
    encoder, graph = shipped_word_encoder(), load_ontology()
    guesses: tuple[Taken, ...] = ()
    if encoder is not None:
        guesses = words_taken(readings.values(), labels, load_word_encoder(encoder, graph))
    return Judging(
        fused=fused,
        readings=readings,
        rule=Combination() if fitted is None else fitted.weights,
        thresholds=fused.thresholds if fitted is None else fitted.calibrated.thresholds,
        reader_sha256=cached.sha256,
        is_fitted=fitted is not None,
        guesses=guesses,
        guessed=replace(CLOSED, terms=with_taken(graph, guesses)) if guesses else CLOSED,
    )
