"""Which kinds of defect a clause names, in the words that the shipped judge was trained with.

They stand in `ontology.yaml` and change only together with the judge's weights. A term is known
in its singular and plural, with or without articles and small words between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import yaml

_PLURAL = re.compile(r"(?<=[a-z]{2})(ches|shes|xes|sses|ies|(?<![su])s)$")
SMALL_WORDS = frozenset("a an the of in on at to with any or".split())
LONGEST_TERM = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a clause names: labels known by a term, and whether it speaks of defects in general."""

    labels: frozenset[str]
    anything: bool


@dataclass(frozen=True, slots=True, eq=False)
class Ontology:
    """Terms as joined stems, each with the labels (folded) that it stands for.

    `known` are all labels that some term stands for.
    """

    labels_of: Mapping[str, frozenset[str]]
    general: frozenset[str]
    materials: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def named(self, clause: str) -> Named:
        """Return what `clause` names, the longest terms first: "solder short" is no short."""
        words = [word for word in stems(clause) if word not in SMALL_WORDS]
        found: set[str] = set()
        general = False
        at = 0
        while at < len(words):
            for length in range(min(LONGEST_TERM, len(words) - at), 0, -1):
                run = "".join(words[at : at + length])
                if run in self.labels_of or run in self.general:
                    found |= self.labels_of.get(run, frozenset())
                    general = general or run in self.general
                    at += length
                    break
            else:
                at += 1
        return Named(labels=frozenset(found), anything=general)


@cache
def shipped_ontology() -> Ontology:
    """Return the terms of `ontology.yaml`."""
    content = yaml.safe_load((resources.files("inspector") / "ontology.yaml").read_text("utf-8"))
    labels_of: dict[str, set[str]] = {}
    for trade in content["trades"].values():
        for label, terms in trade["labels"].items():
            for term in terms if label in content["materials"] else (label, *terms):
                for form in forms(term):
                    labels_of.setdefault(form, set()).add(folded_label(label))
        for kind, labels in trade.get("kinds", {}).items():
            for form in forms(kind):
                labels_of.setdefault(form, set()).update(map(folded_label, labels))
    return Ontology(
        labels_of={form: frozenset(labels) for form, labels in labels_of.items()},
        general=frozenset(form for term in content["anything"] for form in forms(term)),
        materials=frozenset(map(folded_label, content["materials"])),
        known=frozenset().union(*labels_of.values()),
    )


def forms(term: str) -> set[str]:
    """Return the joined stems of a term's singular and plural."""
    written = term.removeprefix("~").split("|")
    return {"".join(w for w in stems(form) if w not in SMALL_WORDS) for form in written}


@lru_cache(maxsize=4096)  # the same few labels are asked for by every clause of every part
def folded_label(label: str) -> str:
    """Return a detector's label without spaces, hyphens, underscores and plural endings."""
    return "".join(stems(label.replace("_", " ")))


def stems(text: str) -> list[str]:
    """Return the words of `text` without the endings of plurals, in lower case."""
    # Letters of every script: two names in Chinese must not both be nothing, and so the same.
    words = re.findall(r"(?:[a-z0-9à-ÿ]|[^\W_\x00-\xff])+", text.lower())
    return [_PLURAL.sub(_singular, w) for w in words]


def _singular(match: re.Match[str]) -> str:
    endings = {"ches": "ch", "shes": "sh", "xes": "x", "sses": "ss", "ies": "y"}
    return endings.get(match[0], "")
