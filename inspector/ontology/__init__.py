"""Defect terms of many trades: what words name, and what falls under what.

`load_ontology` gives the wide graph of terms (`trades/*.yaml` and a plant's own files).
`shipped_ontology` gives the words that the shipped judge was trained with (`ontology.yaml`); they
change only together with its weights.
"""

from inspector.ontology.graph import ANY_DEFECT, ANY_TRADE, Group, Nearest, Term, TermGraph
from inspector.ontology.judge_words import (
    SMALL_WORDS,
    Named,
    Ontology,
    folded_label,
    forms,
    shipped_ontology,
    stems,
)
from inspector.ontology.loading import load_ontology
from inspector.ontology.taken import Taken, subjects, taken, with_subjects, with_taken

__all__ = [
    "ANY_DEFECT",
    "ANY_TRADE",
    "SMALL_WORDS",
    "Group",
    "Named",
    "Nearest",
    "Ontology",
    "Taken",
    "Term",
    "TermGraph",
    "folded_label",
    "forms",
    "load_ontology",
    "shipped_ontology",
    "stems",
    "subjects",
    "taken",
    "with_subjects",
    "with_taken",
]
