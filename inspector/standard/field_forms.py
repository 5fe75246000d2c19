"""Printed fields without a caption of their own: how the usual lines look, and what names them.

The words are those of pack print in English, German, French, Spanish, Italian, Dutch, Polish and,
where one word does, Portuguese, Czech, Swedish and Danish.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A field that is known by how it looks: what clauses call it, and what its print holds."""

    key: str
    names: re.Pattern[str]
    print: re.Pattern[str]


STERILE = (
    r"(?<!non)(?<!non[ -])(?<!un)(?<!nicht )(?<!not )steril|stéril|estéril|steriel|(?<!nie)jałow"
)
SINGLE_USE = (
    r"single[- ]?use|one[- ]time use|use (?:only )?once|disposable|⊗|"
    r"(?:do not|don't|not to be|not for) re-?use|einmal(?:ig\w* )?(?:gebrauch|verwendung|artikel)|"
    r"nicht (?:zur )?wieder\w*verwend|usage unique|ne pas réutiliser|(?:un )?solo uso|"
    r"no reutilizar|mono-?uso|non riutilizzare|eenmalig gebruik|niet hergebruiken|jednorazow|"
    r"uso único|nie używać ponownie|jednorázov|engångs|engangs"
)
KEEP_DRY = (
    r"(?:keep|store) (?:it )?(?:cool and )?(?:in a )?(?:cool,? )?dry|"
    r"(?:protect|keep away) from (?:the )?(?:moisture|humidity|water|rain|wet|damp)|☂|☔|"
    r"trocken (?:lagern|aufbewahren|halten)|vor (?:nässe|feuchtigkeit|feuchte) schützen|"
    r"(?:conserver|tenir|garder|stocker) au sec|craint l.humidité|(?:mantener|conservar) seco|"
    r"proteger de la humedad|(?:conservare|tenere) all.asciutto|droog (?:bewaren|houden)|"
    r"chronić przed (?:wilgocią|wodą)"
)
NO_CHILDREN = (
    r"(?:keep )?(?:out of|away from)(?: the)?(?: sight and)?(?: the)?(?: reach of)? children|"
    r"kinder\w* (?:fern|unzugänglich)|reichweite von kindern|portée des enfants|"
    r"alcance de los niños|portata dei bambini|bereik van kinderen|(?:przed|dla) dzieci|"
    r"alcance das crianças|dosah dětí|åtkomst för barn|børns rækkevidde|utom räckhåll för barn"
)
NO_LIGHT = (
    r"(?:protect|keep away|keep out) (?:from|of) (?:direct )?(?:sun)?light|"
    r"vor (?:sonnen)?licht (?:schützen|geschützt)|à l.abri de la lumière|proteger de la luz|"
    r"al riparo dalla luce|tegen licht beschermen|chronić przed światłem"
)
FRAGILE = r"fragile|handle with care|breakable|zerbrechlich|vorsicht,? glas|frágil|breekbaar|kruche"
UPWARD = (
    r"this (?:way|side|end) up|top side|↑\s*↑|(?:hier |diese seite )?oben|(?:ce côté|cette face) "
    r"(?:vers le )?haut|este lado (?:hacia )?arriba|(?:questo )?lato (?:in )?alto|deze (?:kant|"
    r"zijde) boven|tą stroną do góry"
)
NOTIFIED_BODY = r"\bCE\W{0,3}\d{4}(?!\d)|notified body"

FORMS = tuple(
    Form(
        key=key,
        names=re.compile(names, re.IGNORECASE),
        print=re.compile(print_, re.IGNORECASE),
    )
    for key, names, print_ in (
        ("origin", r"\borigin\b|country of|\bmade in\b|provenance|place of (?:manufact|prod)",
         r"\b(?:made|produced|manufactured|grown|packed|assembled|brewed|caught) in\b|"
         r"produc(?:t|e) of|\borigin|herkunft|ursprung|hergestellt in|erzeugt in|"
         r"fabriqué (?:en|au|aux|dans)|produit (?:de|d.|en|du)\b|origine|(?:fabricado|hecho|"
         r"producido|elaborado) en|origen|(?:prodotto|fabbricato|fatto) in|gemaakt in|"
         r"vervaardigd in|geproduceerd in|oorsprong|wyprodukowano w|kraj pochodzenia|"
         r"fabricado em|origem|vyrobeno v|země původu|tillverkad i|fremstillet i"),
        ("storage", r"storage (?!life)|storing|how to store|\bstorage$|stor(?:e|age) at",
         r"\b(?:store|storage|refrigerate|keep (?:cool|cold|dry|frozen|refrigerated|in|at|below|"
         r"away from|tightly)|do not (?:freeze|refrigerate))\b|protect from|"
         r"\b(?:lagern|gelagert|aufbewahren|aufzubewahren|lagerung)\b|kühl halten|"
         r"vor \w+ schützen|\b(?:conserver|conservation|conservar|conservare|conservarsi|"
         r"almacenar|manten(?:er|ga)|bewaren|przechowywać|skladujte|uchovávejte|förvaras|"
         r"opbevares|guardar)\b|saklayınız"),
        ("phone", r"phone|\btel\b|hotline|helpline|call number|contact number",
         r"\b(?:tel|phone|telephone|telefon|téléphone|teléfono|telefono|hotline|call|fon|service)"
         r"\b\W{0,3}[+(]?\d[\d\s()/.-]{4,}\d|\+\d{1,3}[\s()/.-]*\d[\d\s()/.-]{4,}\d|"
         r"(?<![\w.-])0\d{2,4}[\s/-]+\d[\d\s-]{4,}\d|\b(?:0?800|1-800)[\s/-]*\d[\d\s-]{4,}"),
        ("email", r"e-?mail|\bmail address", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
        ("web", r"\bweb|\burl\b|internet|home ?page",
         r"\bwww\.|https?://|(?<![\w@.-])[\w-]+\.(?:com|org|net|eu|de|at|ch|fr|it|es|nl|pl|se|dk|"
         r"info|example|co\.uk)\b(?!@)"),
        ("ingredients", r"ingredient",
         r"\b(?:ingredients?|zutaten|ingrédients?|ingredientes|ingredienti|ingrediënten|składniki|"
         r"składnik|složení|ingredienser|sammansättning|içindekiler|inci)\b"),
        ("trace", r"\btraces? (?!back)|\btraces?$|may.contain|cross.contamination",
         r"may (?:also )?contain|traces? (?:of|de|d.)|kann\b.{0,60}\benthalten|spuren|"
         r"peut contenir|puede contener|trazas|pu[oò] contenere|tracce|kan\b.{0,40}\bbevatten|"
         r"sporen|może zawierać|śladow|pode conter|kan (?:indeholde|innehålla)|může obsahovat"),
        ("allergens", r"allerg",
         r"allerg|may (?:also )?contain|\bcontains?\W|enthält|\bcontient\b|\bcontiene\b|\bbevat\b|"
         r"zawiera|spuren|traces? of"),
        ("weight", r"(?:net|nominal|fill(?:ing)?) (?:weight|quantit\w*|contents?|mass|volume)|"
         r"^(?:weight|quantity|contents?|volume)$",
         r"^(?!.*\b(?:per|pro|je|pour|por) \d).*(?<![\w.,])\d+(?:[.,]\d+)?\s*"
         r"(?:[kmcd]?g|[mcd]?l|litres?|liters?|oz|fl\.? ?oz|lbs?|grams?|kilos?|℮)(?![\w/])|℮"),
        ("price", r"\bprice|\brrp\b",
         r"[€$£¥]\s*\d|\d\s*(?:€|£|zł|kč|(?:EUR|USD|GBP|CHF|PLN|SEK|DKK|NOK|CZK)\b)|"
         r"\b(?:price|preis|prix|precio|prezzo|prijs|cena|rrp)\b"),
        ("notified body", r"notified body", NOTIFIED_BODY),
        ("ce", r"^\W*ce\b(?:[ -]?(?:mark\w*|sign|symbol|logo))?$|conformity mark",
         r"(?-i:(?<![A-Za-z])CE(?![A-Za-z]))"),
        ("manufacturer",
         r"manufacturer|producer|importer|distributor|responsible (?:company|person)",
         r"\b(?:manufactured|made|produced|distributed|imported|packed|bottled) (?:by|for)\b|"
         r"\b(?:manufacturer|hersteller|fabricant|fabricante|produttore|fabrikant|producent|"
         r"výrobce|importer|distributor)\b|hergestellt von|(?:fabriqué|distribué) par|"
         r"(?:fabricado|distribuido) por|prodotto da|"
         r"(?-i:\b(?:GmbH|AG|KG|Ltd|Limited|Inc|LLC|PLC|plc|SpA|S\.p\.A|Srl|S\.r\.l|BV|B\.V|NV|"
         r"SAS|S\.A|Oy|s\.r\.o|Corp)\b)"),
        ("postal address", r"(?<!mail )(?<!web )(?<!internet )\baddress\b",
         r"(?-i:\b(?:[A-Z]{1,2}-)?\d{4,5} [A-ZÄÖÜ][a-zäöüß]+)|\b(?:street|road|avenue|straße|"
         r"strasse|rue|calle|ulica)\b|\bp\.? ?o\.? ?box\b|(?-i:\b[A-Z]{1,2}\d{1,2} ?\d[A-Z]{2}\b)"),
        ("nutrition", r"nutri|energy value|calori",
         r"\d\s*k(?:J|cal)\b|nutrition|nährwert|nutritiv|nutrizional|voedingswaarde|odżywcz"),
        ("alcohol", r"alcohol", r"%\s*vol|\balc\b|alcohol|alkohol|alcool"),
        ("voltage", r"voltage|rated volt", r"\d\s*k?V(?:\s?(?:AC|DC|~|⎓))?(?!\w)|\d\s*volts?\b"),
        ("power", r"(?:rated|nominal|input) power|wattage|power rating",
         r"\d\s*k?W(?!\w)|\bwatts?\b"),
        ("frequency", r"\bfrequency\b", r"\d\s*[kM]?Hz(?!\w)"),
        ("protection class", r"\bip (?:code|rating|class|degree)|ingress|degree of protection",
         r"\bIP\s?[0-6X][0-9X]"),
        ("strength", r"\b(?:dosage )?strength\b|active (?:ingredient )?content",
         r"\d\s*(?:mg|µg|mcg|g|IU|I\.E\.|mmol|%)(?:\s*/\s*(?:\d*\s*)?[\w]+)?(?!\w)"),
        ("care", r"care (?:instruction|label|symbol)|wash\w* instruction|launder",
         r"wash|tumble|bleach|dry.clean|\biron(?:ing)?\b|waschen|wäsche|bügeln|bleichen|"
         r"lav(?:er|age|ar|are)\b|wassen|prać"),
        ("fibre content", r"fib(?:re|er) (?:content|composition)|material composition",
         r"\d\s*%\s*(?:cotton|wool|polyester|poly|elastane|viscose|linen|silk|nylon|acrylic|"
         r"baumwolle|wolle|coton|laine|algodón|lana|cotone|katoen|wol|bawełna)"),
        ("un number", r"\bUN (?:number|no|id)", r"\bUN\s?\d{4}(?!\d)"),
        ("recycling", r"recycl|disposal (?:instruction|note|mark|symbol|information)",
         r"recycl|\b(?:PAP|PET|PE-?[HL]D|[HL]DPE|PP|PS|ALU|FE|GL)\s?\d{1,2}\b|entsorg|♻|♳|♴|♵|♶|"
         r"♷|♸|♹|wertstoff|\btri(?:er|man)\b"),
        ("directions", r"(?:instruction|direction)s? for use|usage instruction|how to use",
         r"directions|instructions|how to (?:use|apply)|gebrauchs\w*|anwendung|zubereitung|"
         r"mode d.emploi|modo de (?:uso|empleo)|modo d.uso|gebruiksaanwijzing|sposób użycia"),
        ("warning", r"^(?:the )?(?:safety )?(?:warning|caution|hazard)s?(?: (?:text|note|notice|"
         r"statement|line|sign)s?)?$",
         r"\b(?:warning|caution|danger|attention|achtung|warnung|warnhinweis|vorsicht|gefahr|"
         r"avertissement|mise en garde|advertencia|precaución|peligro|avvertenza|attenzione|"
         r"pericolo|waarschuwing|let op|gevaar|ostrzeżenie|uwaga|varning|advarsel|varování|"
         rf"dikkat)\b|⚠|{NO_CHILDREN}"),
        ("single use", r"single.use|re-?use", SINGLE_USE),
        ("sterile", r"\bsteril", STERILE),
    )
)  # fmt: skip
