"""How the dashboard looks: colours, symbols, Streamlit's options and a little style.

A decision is never told by colour alone: each has its symbol and its word. The three colours
differ in lightness too, so that they stay apart for people who do not see red and green.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.alarms import Priority
from inspector.domain import Decision

INK = "#15232E"
MUTED = "#51626F"
LINE = "#D5DDE3"
PAPER = "#FFFFFF"
GROUND = "#EEF2F5"
ACCENT = "#0F4C75"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`strong` carries white or dark text (`on_strong`), `pale` carries `ink`."""

    symbol: str
    strong: str
    on_strong: str
    pale: str
    ink: str


# U+FE0E asks for the plain glyph where a system would show a coloured emoji.
LOOKS = {
    Decision.PASS: Look(
        symbol="✔\ufe0e", strong="#0B7A56", on_strong="#FFFFFF", pale="#E0F3EB", ink="#075A3F"
    ),
    Decision.FAIL: Look(
        symbol="✖\ufe0e", strong="#B3201F", on_strong="#FFFFFF", pale="#FBE4E2", ink="#8E1615"
    ),
    Decision.HOLD: Look(
        symbol="‖", strong="#F0AB00", on_strong="#2B1F00", pale="#FFF1CC", ink="#6B4A00"
    ),
}

# Shape and word tell a priority as well as its colour (ISA-18.2, 11.4). These colours are for
# alarms that are active; one that is gone or quietened is grey (ISA-101: colour means abnormal).
ALARM_LOOKS = {
    Priority.CRITICAL: Look(
        symbol="◆", strong="#B3201F", on_strong="#FFFFFF", pale="#FBE4E2", ink="#8E1615"
    ),
    Priority.HIGH: Look(
        symbol="▲", strong="#E07B00", on_strong="#241300", pale="#FFE9CF", ink="#7A3F00"
    ),
    Priority.MEDIUM: Look(
        symbol="■", strong="#F7D154", on_strong="#2B2300", pale="#FFF6D6", ink="#665200"
    ),
    Priority.LOW: Look(
        symbol="●", strong="#A9CBE3", on_strong="#0B2A40", pale="#E4F0F8", ink="#0F4C75"
    ),
}

STREAMLIT_OPTIONS = {
    "theme.base": "light",
    "theme.primaryColor": ACCENT,
    "theme.backgroundColor": GROUND,
    "theme.secondaryBackgroundColor": PAPER,
    "theme.textColor": INK,
    "theme.borderColor": LINE,
    "theme.baseRadius": "6px",
    "theme.showWidgetBorder": "true",
    "theme.dataframeBorderColor": LINE,
    "theme.dataframeHeaderBackgroundColor": "#E4EAEF",
}

_DECIDE_BUTTONS = "\n".join(
    f"""{button} {{min-height: 3.1rem; font-weight: 700; background: {look.strong};
  color: {look.on_strong}; border-color: {look.strong}}}
{button} p {{font-size: 1.1rem}}
{button}:disabled {{opacity: .35}}
{button}:hover {{background: {look.ink}; color: #fff}}"""
    for button, look in (
        (f"[class*=st-key-decide_{decision.value}] button", look)
        for decision, look in LOOKS.items()
    )
)

_ALARM_STRIPES = "\n".join(
    f"[class*=st-key-alarm_{priority.name.lower()}_] {{border-left-color: {look.strong}}}"
    for priority, look in ALARM_LOOKS.items()
)

STYLE = f"""<style>
.block-container {{padding: 4.6rem 1.6rem 1.2rem; max-width: 1900px}}
[data-testid="stHeader"] {{background: {INK}}}
[data-testid="stHeader"] * {{color: #fff}}
[data-testid="stTopNavLink"] {{font-size: 1.05rem; font-weight: 600}}
[data-testid="stTopNavLink"][aria-current="page"] {{background: rgba(255,255,255,.18)}}
[data-testid="stMainMenu"], [data-testid="stToolbarActions"] {{display: none}}
[data-testid="stElementContainer"]:has(> * .notice, > * .watchdog, > * style) {{
  position: absolute}}
.notice {{position: fixed; top: 0; right: 1.6rem; height: 3.75rem; z-index: 999991;
  max-width: 62vw; display: flex; flex-direction: column; justify-content: center;
  text-align: right; font-size: .86rem; line-height: 1.35; color: #D9E4EB}}
.notice b {{color: #FFD36B}}
.card {{background: {PAPER}; border: 1px solid {LINE}; border-radius: 8px; padding: .8rem 1rem}}
.muted {{color: {MUTED}}}
[data-testid="stHtml"] a {{color: {ACCENT}; text-underline-offset: 3px}}
.chip {{display: inline-block; border-radius: 5px; padding: .08rem .55rem; font-weight: 700;
  white-space: nowrap}}
.tiles {{display: grid; gap: .8rem; grid-template-columns: 1.5fr 1.25fr .8fr 1.45fr .8fr}}
.tile .name {{font-size: .86rem; font-weight: 600; color: {MUTED}; text-transform: uppercase;
  letter-spacing: .04em}}
.tile .value {{font-size: 2.5rem; font-weight: 750; line-height: 1.15; white-space: nowrap;
  font-variant-numeric: tabular-nums}}
.tile .note {{font-size: .9rem; color: {MUTED}}}
.facts {{width: 100%; border-collapse: collapse; background: {PAPER};
  font-variant-numeric: tabular-nums; font-size: .95rem; line-height: 1.4}}
.facts img {{display: block; border: 1px solid {LINE}; border-radius: 4px}}
.nowrap {{white-space: nowrap}}
.objection {{background: {PAPER}; border: 1px solid {LINE}; border-left: 6px solid;
  border-radius: 6px; padding: .5rem .8rem; margin-bottom: .5rem; line-height: 1.4}}
[data-testid="stPlotlyChart"] {{background: {PAPER}; border: 1px solid {LINE};
  border-radius: 8px}}
[data-testid="stImage"] img {{border: 1px solid {LINE}; border-radius: 8px}}
.facts th {{text-align: left; font-size: .8rem; color: {MUTED}; font-weight: 600;
  border-bottom: 2px solid {LINE}; padding: .25rem .5rem; white-space: nowrap}}
.facts td {{border-bottom: 1px solid {LINE}; padding: .34rem .5rem; vertical-align: top;
  overflow-wrap: anywhere}}
.facts tr.newest td {{background: #F3F7FA}}
.facts.big td {{font-size: 1.12rem; padding: .36rem .5rem}}
.facts code, .hash {{font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .82rem}}
.verdict {{border-radius: 8px; padding: .7rem 1rem; border-left: 10px solid}}
.verdict .word {{font-size: 1.7rem; font-weight: 800; line-height: 1.15}}
.heading {{font-size: 1.05rem; font-weight: 700; margin: .2rem 0 .35rem}}
.bar {{display: inline-block; width: 70px; height: .55rem; background: {GROUND};
  border: 1px solid {LINE}; border-radius: 3px; vertical-align: middle; margin-right: .35rem}}
.bar span {{display: block; height: 100%; background: {MUTED}}}
.empty {{text-align: center; padding: 3.2rem 1rem}}
.empty h3 {{font-size: 1.4rem; margin: 0 0 .4rem}}
.tag {{display: inline-block; border: 1px solid {LINE}; border-radius: 4px; padding: 0 .35rem;
  margin: 0 .25rem .15rem 0; font-size: .82rem; background: {GROUND}; white-space: nowrap}}
{_DECIDE_BUTTONS}
[class*=st-key-alarm_] {{background: {PAPER}; border: 1px solid {LINE}; border-left-width: 8px;
  border-radius: 8px; padding: .55rem .9rem; line-height: 1.5}}
{_ALARM_STRIPES}
/* Each refresh of a live page swaps the name of the animation, which starts it anew. When the
   refreshes stop, because the server or the connection died, it runs out and covers the page. */
.watchdog {{position: fixed; inset: 0; z-index: 999; display: flex; align-items: center;
  justify-content: center; background: rgba(238,242,245,.93); font-size: 2.4rem; font-weight: 800;
  color: {LOOKS[Decision.FAIL].ink}; visibility: hidden; text-align: center}}
.watchdog.even {{animation: stopped-even 0s 12s forwards}}
.watchdog.odd {{animation: stopped-odd 0s 12s forwards}}
@keyframes stopped-even {{to {{visibility: visible}}}}
@keyframes stopped-odd {{to {{visibility: visible}}}}
@media (max-width: 1100px) {{.tiles {{grid-template-columns: 1fr 1fr}}}}
</style>"""
