"""Terms, kinds and families as a graph: what a phrase names, and what falls under it.

Names are unique over all trades; the words for them belong to a trade, so that "short" is one
thing on a bare board and another in moulding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from inspector.ontology.words import Run, chunks, is_area, is_small, keys, runs, widened

ANY_TRADE = "any"
ANY_DEFECT = "defect"  # the group that everything objectionable lies under
# Beside "defect" these narrow nothing down; any other word there is one that nobody knows.
_NEUTRAL = frozenset(
    "no not zero single one further other more most visible obvious detectable individual such "
    "part product item unit piece article sample minor major critical significant noticeable "
    "small large serious detected all each every without free apparent clear found reported "
    "allowed permitted acceptable is are be have has show shows there must may shall".split()
)
_SEVERITY = frozenset(
    "small large minor major critical deep light heavy slight severe big tiny fine defect ng "
    "type class kind level grade".split()
)
Nearest = Callable[[str], tuple[str, float] | None]
"""A word nobody wrote down -> the nearest name and how sure; None below its own threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One kind of defect, or one attribute, with what it belongs to and the words for it."""

    name: str
    kind: str
    families: frozenset[str]
    trades: frozenset[str]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A kind or a family: a wider word, under others that are wider still."""

    name: str
    under: frozenset[str]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The names behind each key in one trade; `loose` keys also match inflections.

    `labels` are keys that only a detector's label is looked up by.
    """

    strict: Mapping[str, frozenset[str]]
    loose: Mapping[str, frozenset[str]]
    labels: Mapping[str, frozenset[str]]

    def names(self, run: Run) -> frozenset[str]:
        for wanted, known in ((run.strict, self.strict), (run.loose, self.loose)):
            for key in wanted:
                if key in known:
                    return known[key]
        return frozenset()

    def of_label(self, whole: Run) -> frozenset[str]:
        return self.labels.get(whole.strict[0]) or self.names(whole)

    def knows(self, label: str) -> bool:
        whole = keys(label.replace("_", " "))
        return whole is not None and bool(self.of_label(whole))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TermGraph:
    """All that is known; build it with `load_ontology`.

    `wider` holds for every name the names it falls under, its own among them. `words` has a view
    for each trade and one for `ANY_TRADE`, in which a word may name several things.
    """

    terms: Mapping[str, Term]
    groups: Mapping[str, Group]
    wider: Mapping[str, frozenset[str]]
    words: Mapping[str, Words]
    trade_names: Mapping[str, str]
    products: Mapping[str, frozenset[str]]

    @property
    def trades(self) -> frozenset[str]:
        return frozenset(self.words) - {ANY_TRADE}

    # --- what words name ----------------------------------------------------------------------

    def named(self, phrase: str, *, trade: str | None = None) -> frozenset[str]:
        """Return the terms and groups that `phrase` names, as they are written there.

        The longest words first: a "solder short" is no "short". What the trade has no words for
        is looked up in the others.
        """
        return self._named(phrase, self._view(trade))

    def terms_named(
        self, phrase: str, *, trade: str | None = None, nearest: Nearest | None = None
    ) -> frozenset[str] | None:
        """Return the terms that `phrase` names, those of its groups too; None: no known word."""
        found = self.named(phrase, trade=trade) or self._guessed(phrase, nearest)
        if not found:
            return None
        return frozenset(name for name in self.terms if self.wider[name] & found)

    def term_of(
        self, label: str, *, trade: str | None = None, nearest: Nearest | None = None
    ) -> str | None:
        """Return the term (or group) a detector's label stands for.

        None where nobody knows it, or where trades differ over it and `trade` is not given.
        """
        found = self._label(label, self._view(trade)) or self._guessed(label, nearest)
        if len(found) > 1:
            own = keys(label.replace("_", " "))
            found = frozenset(name for name in found if keys(name) == own)
        return next(iter(found)) if len(found) == 1 else None

    def falls_under(
        self,
        label: str,
        phrase: str,
        *,
        trade: str | None = None,
        nearest: Nearest | None = None,
    ) -> bool | None:
        """Return whether what the detector calls `label` is among what `phrase` names.

        None where one of them has no known word, and where the label is the wider of the two: a
        "crack" may be a "hot tear" or not; but a "crack" is what a "cracked vial" has. Without a
        trade, each that has its own words for the label is asked; one that says yes decides, then
        one that does not know.
        """
        views = [self._view(trade)]
        if trade is None:
            views = [v for name, v in self.words.items() if name != ANY_TRADE and v.knows(label)]
            views = views or [self.words[ANY_TRADE]]
        answers = set()
        for view in views:
            own = self._label(label, view) or self._guessed(label, nearest)
            wanted = self._named(phrase, view) or self._guessed(phrase, nearest)
            answer = self._under(own, wanted)
            if answer is None and self._is_said_of_a_thing(own, phrase, view):
                answer = True
            answers.add(answer)
        return next(answer for answer in (True, None, False) if answer in answers)

    def trade_of(self, product: str) -> str | None:
        """Return the trade that makes `product`, by the longest words for it that are known."""
        every = [run for c in chunks(product) for at in range(len(c)) for run in runs(c, at)]
        known = [run for run in every if run.strict[0] in self.products]
        longest = max((run.end - run.start for run in known), default=0)
        found = frozenset[str]().union(
            *(self.products[run.strict[0]] for run in known if run.end - run.start == longest)
        )
        return next(iter(found)) if len(found) == 1 else None

    def knows(self, words: str) -> bool:
        """Return whether `words` name something in any trade, as a clause or as a label says it."""
        every = self.words[ANY_TRADE]
        return bool(self._named(words.replace("_", " "), every) or self._label(words, every))

    def has_word(self, words: str, *, trade: str) -> bool:
        """Return whether people of the trade use `words`, whatever other trades call so."""
        run = keys(words)
        return run is not None and bool(self._view(trade).names(run))

    def with_words(self, meanings: Mapping[str, str]) -> TermGraph:
        """Return this graph with more words in every trade, each for the name it is mapped to.

        A word that names something already keeps its meaning. Raises `ValueError` for a name that
        is neither a term nor a group.
        """
        if unknown := sorted(set(meanings.values()) - self.wider.keys()):
            raise ValueError(f"expected names of terms or groups, found {', '.join(unknown)}")
        runs_of = {w: keys(w.replace("_", " ")) for w in meanings if not self.knows(w)}
        strict = {
            key: frozenset({meanings[word]})
            for word, run in runs_of.items()
            if run is not None
            for key in run.strict
        }
        return replace(
            self,
            words={
                trade: replace(view, strict={**strict, **view.strict})
                for trade, view in self.words.items()
            },
        )

    # --- how ----------------------------------------------------------------------------------

    def _view(self, trade: str | None) -> Words:
        if trade is None:
            return self.words[ANY_TRADE]
        wanted = keys(trade)
        name = self.trade_names.get(wanted.strict[0]) if wanted else None
        if name is None:
            known = ", ".join(sorted(self.trades))
            raise ValueError(f"expected one of the trades {known}; found {trade!r}")
        return self.words[name]

    def _named(self, phrase: str, view: Words) -> frozenset[str]:
        found: set[str] = set()
        anything = False
        # A word of another trade counts where it stands alone: a "seam" is a mark of rolling, but
        # "trapped in the seam" on a pack is not about that.
        alone = sum(not _is_plain(word) for chunk in chunks(phrase) for word in chunk) == 1
        for chunk in chunks(phrase):
            at = 0
            unknown = False
            while at < len(chunk):
                for run in runs(chunk, at):
                    names = view.names(run)
                    if not names and (alone or run.end - run.start > 1):
                        names = self.words[ANY_TRADE].names(run)
                    if not names:
                        continue
                    if names != {ANY_DEFECT}:
                        found |= names
                    elif not unknown:  # "galvanic defects" are not just any defects
                        anything = True
                    at, unknown = run.end, False
                    if at < len(chunk) and is_area(chunk[at]):
                        at += 1  # "pitted spots" are pits, and no stains
                    break
                else:
                    unknown = not _is_plain(chunk[at])
                    at += 1
        return frozenset(found) if found or not anything else frozenset({ANY_DEFECT})

    def _label(self, label: str, view: Words) -> frozenset[str]:
        """Return what a label names: the whole of it, or its last words ("surface_scratch_2").

        What no word is known for may be of a wider sort: a "missing capacitor" is a missing part.
        """
        text = label.replace("_", " ")
        if (whole := keys(text)) is None:
            return frozenset()
        every = self.words[ANY_TRADE]
        if names := view.of_label(whole) or every.of_label(whole):
            return names
        plain = tuple(
            word
            for chunk in chunks(text)
            for word in chunk
            if not word.isdigit() and word not in _SEVERITY
        )
        for words in (plain, *(chunks(wider)[0] for wider in widened(plain))):
            for at in range(len(words)):
                for run in runs(words, at):
                    if run.end == len(words) and (names := view.names(run) or every.names(run)):
                        return names
        return frozenset()

    def _guessed(self, text: str, nearest: Nearest | None) -> frozenset[str]:
        guess = nearest(text) if nearest is not None else None
        return frozenset({guess[0]} & self.wider.keys()) if guess is not None else frozenset()

    def _under(self, own: frozenset[str], wanted: frozenset[str]) -> bool | None:
        if ANY_DEFECT in wanted:
            return True  # whatever a detector reports is a defect, known or not
        if not wanted or not own:
            return None
        if any(self.wider[name] & wanted for name in own):
            return True
        is_wider = any(name in self.wider[other] for name in own for other in wanted)
        return None if is_wider else False

    def _is_said_of_a_thing(self, own: frozenset[str], phrase: str, view: Words) -> bool:
        """Return whether the phrase is the label's own word, said of a thing.

        Such are "chipped tablets" and "chips in the rim"; a "chip" of some special sort is not.
        """
        for chunk in chunks(phrase):
            for at in range(len(chunk) - 1):
                if not (one := [run for run in runs(chunk, at) if run.end == at + 1]):
                    continue
                names = view.names(one[0])
                is_noun = one[0].strict[0] in view.strict
                if names & own and is_noun is is_small(chunk[at + 1]):
                    return True
        return False


def _is_plain(word: str) -> bool:
    return is_small(word) or word in _NEUTRAL or word.isdigit()
