"""Whether the findings of a camera can decide a clause at all.

A clause about what nobody looked for must not pass because nothing was found. The fused judge may
still object to a part for it; it cannot clear the part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from inspector.asked import CLAUSE_CHARACTERS, asked_of
from inspector.domain import Evidence
from inspector.ontology import load_ontology

_OF_PRINT = re.compile(
    r"\b(?:print(?:s|ed|ing)?|labels?|labell?(?:ed|ing)|text|lettering|letters?|characters?|"
    r"mark(?:s|ed|ings?)?|stamp(?:s|ed)?|engrav\w*|emboss\w*|words?|wording|legends?|captions?|"
    r"inscriptions?|statements?|warnings?|logos?|symbols?|pictograms?|signs?|"
    r"legib\w*|readab\w*|illegib\w*|languages?|dates?|dated|expir\w*|exp|"
    r"best[ -]before|use[ -]by|sell[ -]by|shelf[ -]life|durability|lots?|batch(?:es)?|serials?|"
    r"numbers?|names?|declar\w*|contents?|printout|stat(?:e|es|ed|ing)|expressed|"
    r"remaining life|rating plates?|country of origin|years? old|months? old|days? old|"
    r"revisions?|versions?|units?|quantit(?:y|ies)|codes?|bar ?codes?|scan\w*|"
    r"symbolog(?:y|ies)|gtins?|eans?|upcs?|sscc|gs1|identifiers?|check digits?|ordered|"
    r"(?:work |purchase )?orders?|german|english|french|spanish|italian|dutch|polish|portuguese)\b",
    re.IGNORECASE,
)
_OF_LOOKS = re.compile(
    r"\b(?:flaw\w*|fault\w*|defect\w*|perfect\w*|immaculate|damag\w*|broken|torn|crack\w*|"
    r"fractur\w*|missing|absent|incomplete\w*|complete\w*|shortcomings?|deviations?|spoilt|"
    r"nothing|anything|everything|whatever|things?|findings?|zones?|in place|present|visible)\b",
    re.IGNORECASE,
)
_OF_NO_CAMERA = re.compile(
    r"\b(?:weigh(?:s|t|ts|ing)?|mass|heavier|odou?rs?|smell(?:s|ing)?|scent(?:ed)?|"
    r"tast(?:e|es|ing|y)|flavou?rs?|aroma\w*|hardness|torques?|tensile|elasticity|viscosity|"
    r"temperatures?|degrees celsius|humidity|moisture content|"
    r"(?<!high-)(?<!low-)voltages?|currents?|ohms?|"
    r"resistances?|conductiv\w*|capacitance|insulation value|pressures?|leak rates?|vacuum|noise|"
    r"noises|rattl\w*|sounds?|vibrations?|magneti\w*|radioactiv\w*|sterility|germs?|bacteria\w*|"
    r"ph|acidity|toxic\w*|chemical composition|alloy composition|internal stress\w*|"
    r"certificat\w*|insured|invoices?|prices?)\b",
    re.IGNORECASE,
)


def unseen(clause: str, evidence: Evidence, *, looked_for: Iterable[str] = ()) -> str | None:
    """Return why no finding can clear a part of `clause`, in words; None where one can.

    `looked_for` are the labels and zones that the station knows, found or not. Only for clauses
    without a check: a check says itself what it looks at.
    """
    clause = clause[:CLAUSE_CHARACTERS]
    asked = asked_of(clause)
    if asked.symbologies or asked.phrases or _OF_PRINT.search(clause):
        return None
    if felt := _OF_NO_CAMERA.search(clause):
        return f"it asks for {felt[0].lower()!r}, which no camera sees"
    known = [*looked_for, *(d.label for d in evidence.defects), *evidence.context.expected]
    known += [d.zone for d in evidence.defects if d.zone is not None]
    known += [t.field for t in evidence.texts if t.field is not None]
    if asked.terms.labels or asked.terms.anything or any(asked.names(name) for name in known):
        return None
    if _OF_LOOKS.search(clause) or load_ontology().terms_named(clause):
        return None
    return "it names nothing that was looked for"
