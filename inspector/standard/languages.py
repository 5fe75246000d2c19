"""In which language a line is, and which quantity it states: by script and common words alone."""

from __future__ import annotations

import re

_COMMON = {
    "german": "und der die das nicht für mit von ist im zum nur vor bei achtung warnung "
    "mindestens haltbar kühl trocken lagern hergestellt zutaten enthält kann spuren "
    "nach öffnen bitte gebrauch verwendung inhalt deutschland ein eine zu aufbewahren "
    "kinder reichweite außer haut augen gebrauchsanweisung beachten lesen bis am an auf "
    "aus oder sowie über unter ihre sie wir hinweis stück netto füllmenge ohne zucker "
    "salz milch weizen wasser sonne licht schützen geschützt anwendung äußerlichen "
    "tabletten täglich verschreibungspflichtig hersteller chargen verfalldatum "
    "verwendbar siehe rückseite deckel reißen hier bedienungsanleitung spannung "
    "entsorgen einmalgebrauch zerbrechlich oben kindern fernhalten geeignet frei",
    "english": "the and of for not with keep store in from to use by before contains may "
    "ingredients made do away dry cool warning caution children out reach open best see "
    "lid only hot water avoid this that is are be it your on at after if per each "
    "without sugar salt wheat milk product read instructions protect handle care "
    "fragile serving allergens recycle dispose push pull lift tear here contents batch "
    "expiry shake well rinse size one two free high voltage danger flammable moving "
    "parts hands wear eye protection disconnect power servicing when tablets daily "
    "medicine side pack",
    "french": "le la les et ne pas pour avec de du des un une à conserver au sec tenir hors "
    "portée enfants avant utiliser ingrédients contient peut fabriqué dans endroit "
    "frais attention jeter ouvrir mode emploi lire sur ou si est sont ce cette votre "
    "aux par après chaque eau sucre sel lait blé voir notice attentivement usage unique "
    "fragile haut bas produit emballage recycler ici danger haute tension protéger "
    "lumière comprimés jour voie boîte garder sous consommer préférence jusqu "
    "avertissement mains yeux port obligatoire sans",
    "spanish": "el los las y no para con de del en un una mantener fuera alcance niños conservar "
    "lugar seco fresco ingredientes contiene puede hecho antes consumir uso leer evitar "
    "o si es son este esta su al por después cada agua azúcar sal leche trigo ver "
    "prospecto usar solo frágil arriba fabricado producto envase reciclar abrir aquí "
    "peligro alta tensión proteger luz comprimidos día mantenga preferentemente sin "
    "advertencia atención consulte instrucciones manos ojos lejos",
    "italian": "il lo gli e non per con di del della nel tenere fuori dalla portata bambini "
    "conservare luogo asciutto fresco ingredienti contiene può prodotto prima uso "
    "leggere evitare o se è sono questo questa al alla da in dopo ogni acqua zucchero "
    "sale latte grano vedi foglio illustrativo monouso fragile alto fabbricato "
    "confezione riciclare aprire qui pericolo tensione proteggere luce compresse giorno "
    "consumarsi preferibilmente entro senza attenzione avvertenza istruzioni mani occhi "
    "lontano",
    "dutch": "de het een en niet voor met van in buiten bereik kinderen houden bewaren droog "
    "koel ingrediënten bevat kan gemaakt gebruik lezen of is zijn dit deze uw bij na "
    "per elk water suiker zout melk tarwe zie bijsluiter lees eenmalig breekbaar boven "
    "vervaardigd product verpakking openen hier gevaar hoge spanning beschermen licht "
    "tabletten dag minste houdbaar tot zonder waarschuwing instructies handen ogen uit "
    "buurt",
    "polish": "i nie dla z do w na się przechowywać suchym chłodnym miejscu składniki zawiera "
    "może chronić przed dzieci użyciem lub jest są ten ta po każdy woda cukier sól "
    "mleko pszenica patrz ulotka przeczytać jednorazowego ostrożnie góra wyprodukowano "
    "produkt opakowanie otwierać tutaj niebezpieczeństwo wysokie napięcie światłem "
    "tabletki dzień najlepiej spożyć bez uwaga ostrzeżenie instrukcja ręce oczy trzymać "
    "dala zawartość",
    "portuguese": "o os as e não para com de do da em um uma manter fora alcance crianças "
    "conservar local seco fresco ingredientes contém pode fabricado usar ler ou se é são este "
    "esta seu ao por depois cada água açúcar sal leite trigo ver folheto único frágil "
    "cima produto embalagem abrir aqui perigo alta tensão proteger luz comprimidos dia "
    "consumir preferência sem atenção aviso instruções mãos olhos longe",
    "swedish": "och inte för med av i förvaras barn torrt svalt ingredienser innehåller kan använd "
    "läs åtkomst eller är den det denna din på till efter varje vatten socker salt "
    "mjölk vete se bruksanvisning engångsbruk ömtålig upp tillverkad produkt "
    "förpackning öppna här fara hög spänning skydda ljus tabletter dag bäst före utan "
    "varning händer ögon",
    "danish": "og ikke for med af i opbevares børn tørt køligt ingredienser indeholder kan brug "
    "læs eller er den det denne din på til efter hver vand sukker salt mælk hvede se "
    "brugsanvisning engangsbrug skrøbelig op fremstillet produkt emballage åbn her fare "
    "høj spænding beskyt lys tabletter dag bedst før uden advarsel hænder øjne",
    "czech": "a ne pro s z v na uchovávejte skladujte suchu chladnu složení obsahuje může dětí "
    "dosah před použitím mimo nebo je jsou tento tato po každý voda cukr sůl mléko "
    "pšenice viz příbalový čtěte jednorázové křehké nahoru vyrobeno výrobek obal "
    "otevřít zde nebezpečí vysoké napětí chraňte světlem tablety den minimální "
    "trvanlivost bez pozor varování návod ruce oči",
    "turkish": "ve için ile bir bu kuru serin yerde saklayınız içindekiler içerir çocukların "
    "ulaşamayacağı kullanmadan önce veya şu her su şeker tuz süt buğday bakınız "
    "okuyunuz tek kullanımlık kırılır yukarı üretim ürün ambalaj açınız burada tehlike "
    "yüksek gerilim koruyunuz ışıktan tablet gün son tüketim dikkat uyarı talimat el "
    "göz uzak",
}
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
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
    "pcs": "pcs pieces pc piece stück pz pzas szt", "µg": "µg μg mcg ug microgram micrograms",
    "iu": "iu ie ui", "kj": "kj kilojoules", "kcal": "kcal calories kilocalories",
    "%": "% percent vol", "°c": "°c celsius", "hz": "hz hertz", "a": "a amp amps ampere amperes",
    "bar": "bar", "kw": "kw kilowatt kilowatts", "mah": "mah", "m²": "m² m2 sqm",
    "v": "v volt volts", "w": "w watt watts",
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
    common = _WORDS[language]
    signs = any(sign in text.lower() for sign in _SIGNS.get(language, ""))
    return sum(word in common for word in found) + 0.75 * signs


def states_unit(text: str, unit: str) -> bool:
    """Return whether `text` states a quantity in that unit: a number, then the unit."""
    name = unit.strip().lower().rstrip(".")
    words = next((names for names in _UNITS.values() if name in names.split()), name)
    names = "|".join(sorted(map(re.escape, words.split()), key=len, reverse=True))
    return re.search(rf"\d\s*(?:{names})(?![^\W\d_])", text, re.IGNORECASE) is not None
