"""In which language a line is, and which quantity it states: by script and common words alone."""

from __future__ import annotations

import re

_COMMON = {
    "german": "und der die das nicht für mit von ist im zum nur vor bei achtung warnung "
    "mindestens haltbar kühl trocken lagern hergestellt zutaten enthält kann spuren "
    "nach öffnen bitte gebrauch verwendung inhalt deutschland ein eine zu "
    "aufbewahren kinder reichweite außer haut augen",
    "english": "the and of for not with keep store in from to use by before contains may "
    "ingredients made do away dry cool warning caution children out reach open best "
    "see lid only hot water avoid",
    "french": "le la les et ne pas pour avec de du des un une à conserver au sec tenir hors "
    "portée enfants avant utiliser ingrédients contient peut fabriqué dans endroit "
    "frais attention jeter ouvrir mode emploi lire sur",
    "spanish": "el los las y no para con de del en un una mantener fuera alcance niños "
    "conservar lugar seco fresco ingredientes contiene puede hecho antes consumir "
    "uso leer evitar",
    "italian": "il lo gli e non per con di del della nel tenere fuori dalla portata bambini "
    "conservare luogo asciutto fresco ingredienti contiene può prodotto prima uso "
    "leggere evitare",
    "dutch": "de het een en niet voor met van in buiten bereik kinderen houden bewaren droog "
    "koel ingrediënten bevat kan gemaakt gebruik lezen",
    "polish": "i nie dla z do w na się przechowywać suchym chłodnym miejscu składniki zawiera "
    "może chronić przed dzieci użyciem",
    "portuguese": "o os as e não para com de do da em um uma manter fora alcance crianças "
    "conservar local seco fresco ingredientes contém pode fabricado usar ler",
    "swedish": "och inte för med av i förvaras barn torrt svalt ingredienser innehåller kan "
    "använd läs åtkomst",
    "danish": "og ikke for med af i opbevares børn tørt køligt ingredienser indeholder kan "
    "brug læs",
    "czech": "a ne pro s z v na uchovávejte skladujte suchu chladnu složení obsahuje může "
    "dětí dosah před použitím mimo",
    "turkish": "ve için ile bir bu kuru serin yerde saklayınız içindekiler içerir çocukların "
    "ulaşamayacağı kullanmadan önce",
}
_SCRIPTS = {
    "russian": "\u0400-\u04ff", "ukrainian": "\u0400-\u04ff", "bulgarian": "\u0400-\u04ff",
    "greek": "\u0370-\u03ff", "arabic": "\u0600-\u06ff", "hebrew": "\u0590-\u05ff",
    "japanese": "\u3040-\u30ff", "korean": "\uac00-\ud7af", "chinese": "\u4e00-\u9fff",
    "thai": "\u0e00-\u0e7f",
}  # fmt: skip
_SIGNS = {"german": "äöüß", "polish": "ąćęłńśźż", "czech": "ěřůžšč", "turkish": "ğış",
          "spanish": "ñ¿¡", "swedish": "åäö", "danish": "æøå", "french": "éèêçàù",
          "portuguese": "ãõç"}  # fmt: skip
_UNITS = {
    "g": "g gr gram grams gramme grammes", "kg": "kg kgs kilo kilos kilogram kilograms kilogramme",
    "mg": "mg milligram milligrams", "ml": "ml millilitre millilitres milliliter milliliters",
    "l": "l ltr litre litres liter liters", "cl": "cl centilitre centilitres centiliter",
    "oz": "oz ounce ounces", "lb": "lb lbs pound pounds", "mm": "mm", "cm": "cm", "m": "m metres",
    "pcs": "pcs pieces pc piece stück", "v": "v volt volts", "w": "w watt watts",
}  # fmt: skip


def is_in_language(text: str, language: str) -> bool:
    """Return whether `text` reads like that language more than like any other known here."""
    name = language.strip().lower()
    if signs := _SCRIPTS.get(name):
        return re.search(f"[{signs}]{{2}}", text) is not None
    scores = {known: _score(text, known) for known in _COMMON}
    return scores.get(name, 0) > 0 and scores[name] == max(scores.values())


def _score(text: str, language: str) -> float:
    found = re.findall(r"[^\W\d_]+", text.lower())
    common = set(_COMMON[language].split())
    signs = any(sign in text.lower() for sign in _SIGNS.get(language, ""))
    return sum(word in common for word in found) + 0.75 * signs


def states_unit(text: str, unit: str) -> bool:
    """Return whether `text` states a quantity in that unit: a number, then the unit."""
    name = unit.strip().lower().rstrip(".")
    words = next((names for names in _UNITS.values() if name in names.split()), name)
    names = "|".join(sorted(map(re.escape, words.split()), key=len, reverse=True))
    return re.search(rf"\d\s*(?:{names})(?![^\W\d_])", text, re.IGNORECASE) is not None
