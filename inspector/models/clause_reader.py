"""The clause reader at run time: the text of a clause in, the line of a check out.

A small language model writes the line under the grammar of the check language, whose words can only
be those of the clause; so a line is always well-formed, and says nothing that was not written. How
sure the reading is comes from the likelihood of its pieces and from how many further readings mean
the same: several drawn at random, and one of the reading's own plain words. Nothing that is printed
on a part ever comes here.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.checks import ReadCheck
from inspector.errors import ModelError
from inspector.line_grammar import CLAUSE_CHARACTERS
from inspector.meaning import meaning
from inspector.models.line_decoding import LineDecoder
from inspector.reading import LineError, from_line, in_words

LANGUAGE_VERSION = "check-line/1"
FILES_BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")
OF_LATIN = 0.8  # share of a clause's letters; the rest may be Greek signs and foreign names
NOTHING_TO_SEE = "it says nothing that a camera's findings can decide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read: `check` is None where no check can say the clause, or nothing was read.

    `likelihood` is the mean over the pieces of the line, `agreement` the share of further readings
    that mean the same; both 0–1. `words` says the check in plain words, or why there is none.
    """

    clause: str
    check: ReadCheck | None
    line: str
    words: str
    likelihood: float
    agreement: float
    is_read: bool

    @property
    def confidence(self) -> float:
        return self.likelihood * self.agreement


class ClauseReader:
    """Reads clauses; one instance serves one thread."""

    def __init__(self, network: Any, tokenizer: Any, *, name: str, sha256: str) -> None:
        self.name = name
        self.sha256 = sha256
        self._decoder = LineDecoder(network, tokenizer)

    def read_clause(self, text: str, *, drawn: int = 4) -> Reading:
        """Return the reading of one clause."""
        return self.read_clauses([text], drawn=drawn)[0]

    def read_clauses(self, texts: Sequence[str], *, drawn: int = 4) -> tuple[Reading, ...]:
        """Return the reading of each clause; `drawn` further readings tell how sure each is.

        A clause without words, in another script, or longer than the model reads, is not read: half
        of it could be the opposite of the whole.
        """
        fit = [text for text in dict.fromkeys(texts) if refusal(text) is None]
        read = dict(zip(fit, self._read(fit, drawn=drawn), strict=True))
        nothing = {"likelihood": 0.0, "agreement": 0.0}
        return tuple(read.get(text) or reading_of(text, "", **nothing) for text in texts)

    def _read(self, texts: Sequence[str], *, drawn: int) -> tuple[Reading, ...]:
        written = self._decoder.lines(texts, drawn=drawn)
        others = [[one.line for one in lines[1:]] for lines in written]
        if drawn:
            told = {i: words for i, lines in enumerate(written) if (words := _told(lines[0].line))}
            again = self._decoder.lines(list(told.values()), drawn=0)
            for index, lines in zip(told, again, strict=True):
                others[index].append(lines[0].line)
        return tuple(
            _reading(text, lines[0].line, lines[0].likelihood, rest)
            for text, lines, rest in zip(texts, written, others, strict=True)
        )


def refusal(text: str) -> str | None:
    """Return why a clause cannot be read, None where it can."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    letters = [c for c in plain if c.isalpha()]
    if re.search(r"[^\W\d_]{2}", plain) is None:
        return "it has no words"
    if sum("LATIN" in unicodedata.name(c, "") for c in letters) < OF_LATIN * len(letters):
        return "it is in another script than the English that the reader knows"
    if len(plain) > CLAUSE_CHARACTERS:
        return (
            f"it has {len(plain)} characters where the reader takes {CLAUSE_CHARACTERS}; split it "
            "into several clauses"
        )
    return None


def _told(line: str) -> str | None:
    """Return the plain words of a line, None where it has none that could be read again."""
    try:
        check = from_line(line)
    except LineError:
        return None
    words = None if check is None else in_words(check)
    return words if words is not None and refusal(words) is None else None


def reading_of(text: str, line: str, *, likelihood: float, agreement: float) -> Reading:
    """Return what `line` says of a clause; one that is no line was not read."""
    try:
        check = from_line(line)
        words = NOTHING_TO_SEE if check is None else in_words(check)
    except LineError:
        check, line, likelihood, agreement = None, "", 0.0, 0.0
        words = refusal(text) or "the reader came to no end with it"
    return Reading(
        clause=text,
        check=check,
        line=line,
        words=words,
        likelihood=likelihood,
        agreement=agreement,
        is_read=check is not None,
    )


def _reading(text: str, line: str, likelihood: float, others: Sequence[str]) -> Reading:
    meaning = _means(line)
    same = [meaning is not None and _means(other) == meaning for other in others]
    agreement = sum(same) / len(same) if same else 1.0
    return reading_of(text, line, likelihood=likelihood, agreement=agreement)


def _means(line: str) -> str | None:
    try:
        return meaning(from_line(line))
    except LineError:
        return None


def load_clause_reader(
    name_or_path: str | Path = "clause-reader", *, threads: int | None = None
) -> ClauseReader:
    """Return the clause reader of that name (shipped) or folder; every file is verified first.

    Raises `ModelError` where a file is missing, damaged or of another version of the language.
    """
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    files = reader_files(name_or_path)
    network, tokenizer = reader_weights(files)
    return ClauseReader(
        network, tokenizer, name=f"{files.name} {files.sha256[:12]}", sha256=files.sha256
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderFiles:
    """The folder of a reader, and the sha256 of each of its files; `sha256` is the newest leg's."""

    folder: Path
    name: str
    sha256: str
    files: dict[str, str]


def reader_files(name_or_path: str | Path) -> ReaderFiles:
    """Return what `model.json` says of a reader; raise as `load_clause_reader` does."""
    from inspector.models.shelf import model_folder, verified

    folder = model_folder(str(name_or_path))
    try:
        card: dict[str, Any] = json.loads((folder / "model.json").read_text())
        if card["language_version"] != LANGUAGE_VERSION:
            raise ModelError(
                f"expected a reader of {LANGUAGE_VERSION}, {folder.name} writes "
                f"{card['language_version']}; train it again: inspector train judge --part reader"
            )
        files = {card["file"]: card["sha256"], **card["files"]}
        found = ReaderFiles(
            folder=folder, name=card["name"], sha256=str(card["sha256"]), files=files
        )
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise ModelError(
            f"expected a clause reader with its model.json in {folder}: {exc}; install it again"
        ) from exc
    for name, expected in files.items():
        verified(folder / name, expected)
    return found


def reader_weights(files: ReaderFiles) -> tuple[Any, Any]:
    """Return network, in float32 with its adapters added in, and tokenizer of a reader."""
    from inspector.models.offline import keep_offline

    keep_offline()
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    from inspector.models.packed import unpacked, with_adapters

    folder = files.folder
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
        network = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        state: dict[str, Any] = {}
        for name in files.files:
            if name.endswith(".safetensors"):
                state |= unpacked(load_file(folder / name))
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
        network.load_state_dict(with_adapters(state))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as exc:
        raise ModelError(
            f"expected the weights of a clause reader in {folder}: {exc}; install it again"
        ) from exc
    return network, tokenizer
