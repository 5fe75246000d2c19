"""The grammar of lines for constrained decoding, and the clause as the reader gets it.

A line copies: subjects, zones, fields and literals are runs of whole words of the clause, so the
model cannot invent a word, however sure it is of it.
"""

from __future__ import annotations

import json
import re

CLAUSE_CHARACTERS = 600
_QUOTES = re.compile(r"[“”„«»″]|''")
_SINGLE = re.compile(r"(?<!\w)['‘]([^'‘’]{1,80}?)['’](?!\w)")  # not the apostrophe of "operators'"
_SIGNS = str.maketrans({"(": "[", ")": "]", ";": ",", "|": "/", "–": "-", "—": "-", "\u00a0": " ",
                        "μ": "µ", "≤": "<=", "≥": ">=", "’": "'", "‘": "'"})  # fmt: skip
_JOINT = re.compile(r" (and|or|then) (?=[a-z]*\s?\(|if )")
_SHIFT = re.compile(r" ([+-]) ")
_SENTENCE = re.compile(r"(?:^|(?<=[.!?:] ))([A-Z])(?=[a-z]*(?![A-Za-z0-9]))")


def prepared(clause: str) -> str:
    """Return `clause` on one line, with the signs of the line language replaced.

    Quotes become `"`, brackets `[ ]`, and a sentence begins small, so that a word is copied alike
    wherever it stands.
    """
    plain = "".join(c if c.isprintable() else " " for c in clause)
    text = _SINGLE.sub(r'"\1"', _QUOTES.sub('"', " ".join(plain.split()))).translate(_SIGNS)[
        :CLAUSE_CHARACTERS
    ]
    return _SENTENCE.sub(lambda m: m[1].lower(), text)


def as_read(clause: str) -> str:
    """Return `clause` as the model reads it: prepared, and a space before every word.

    A word piece with a space before it is another one than without; copied words must be the same
    pieces in clause and line.
    """
    text = re.sub(r"(?<=[a-z]{3})/(?=[a-z]{3})", " / ", prepared(clause).replace('"', ' " '))
    text = re.sub(r"([\[<>=]+)(?=\w)", r"\1 ", text)
    text = re.sub(r"(?<=[^\w\s])(?=[.,:!?\]])", " ", text)
    return " " + " ".join(text.split())


def as_written(line: str) -> str:
    """Return `line` as the model writes it: a space before every copied word, a sign after it.

    The sign says that the copy is over: without it "two and" of the clause could go on.
    """
    parts = re.split(r'("[^"]*")', re.sub(r"\((?=\S)", "( ", line))
    for index in range(0, len(parts), 2):
        plain = _JOINT.sub(r"; \1 ", parts[index])
        parts[index] = re.sub(r" (?=\|)", "", _SHIFT.sub(r"; \1 ", plain))
    for index in range(1, len(parts), 2):
        parts[index] = f'" {parts[index][1:-1].strip()}"'
    return " " + "".join(parts)


def as_line(written: str) -> str:
    """Return the line for what `as_written` made of it."""
    text = re.sub(r"(?<=\()\s+", "", " ".join(written.split()))
    text = re.sub(r";(?= (?:and|or|then|[+-]) )", "", text)
    return re.sub(r'" ([^"]*)"', r'"\1"', text.replace("| ", " | "))


def grammar(clause: str) -> str:
    """Return the grammar of lines for one clause, in Lark's notation as llguidance reads it."""
    words = json.dumps(as_read(clause).replace('"', " ").strip())
    return _GRAMMAR.replace("%CLAUSE%", words)


_GRAMMAR = r"""
start: " no check" | expr
expr: " if" part "; then" part | part
part: joined ("; or" joined)*
joined: single ("; and" single)*
single: atom | " not (" expr ")" | " (" expr ")"
atom: measure | texts | codes | equal | dates | format
measure: MEASURE subjects filter* ")" limit
subjects: " any" | SUBJECT ("|" SUBJECT)*
filter: ("; except" | "; in" | "; not in") phrases | size | "; each kind" | "; each zone"
size: PROPERTY OP PHRASE
limit: OP (PHRASE | " 0" | " 1")
texts: " texts(" sought text_filter* ")" limit
sought: literals | " field" fields | (" language" | " unit") phrases | " product" | " any"
text_filter: "; starts" LITERAL | "; within" PHRASE | "; exact" | size
codes: " codes(" subjects code_filter* ")" limit
code_filter: "; except" phrases | content | "; each"
content: ("; contains" | "; starts") LITERAL | "; element" field | "; valid" | size
equal: (" equal(" | " contains(") source other option* ")"
source: " field" field | " order" PHRASE? | " code" PHRASE? | element | LITERAL
other: "; field" field | ("; order" | "; code") PHRASE? | "; element" field place? | OTHER
element: " element" field place?
place: "; in" phrases
option: PLAIN | ALIKE | "; within" PHRASE | "; exact" | "; each"
dates: " date(" moment ")" OP moment
moment: base (SHIFT PHRASE)?
base: " today" | " field" field | element | " order" PHRASE? | " day" PHRASE
format: " format(" field ";" PHRASE ")"
fields: field ("|" field)*
field: PHRASE | FIELD
phrases: PHRASE ("|" PHRASE)*
literals: LITERAL ("|" LITERAL)*
MEASURE: " defects(" | " kinds(" | " length(" | " width(" | " height(" | " area("
PROPERTY: /; (longest|width|height|area|confidence|characters)/
FIELD: " expiry" | " production date" | " lot" | " serial number" | " part number" | " GTIN"
PLAIN: /; ignoring (hyphens|spaces|dots|leading zeros)/
ALIKE: /; ignoring [A-Za-z0-9]\/[A-Za-z0-9]( [A-Za-z0-9]\/[A-Za-z0-9])*/
SHIFT: /; [+-]/
OP: / (<=|<|=|>=|>)/
LITERAL: " \" " WORDS "\""
OTHER: "; \" " WORDS "\""
PHRASE: " " WORDS
SUBJECT: " missing"? " " WORDS
WORDS: %regex {"substring_words": %CLAUSE%}
"""
