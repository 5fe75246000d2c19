"""What the payloads of PLCs and gateways say, and what is said of those that cannot be read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.plc_alerts import Alert, AlertReader, Alerts, at_path, wildcards
from edge.sparkplug import payload_type
from inspector.alarm_settings import PlcAlertSettings
from inspector.alarms import ID_PATTERN, Priority

TOPIC = "plant/press1/alarm/E17"


def reader(**keys: object) -> AlertReader:
    rule = {"name": "plc", "filter": "plant/+/alarm/#", **keys}
    return AlertReader(PlcAlertSettings.model_validate(rule))


def read(content: object, *, topic: str = TOPIC, **keys: object) -> Alerts:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return reader(**keys).read(topic, payload)


def one(content: object, **keys: object) -> Alert:
    found = read(content, **keys)
    assert found.mistakes == ()
    (alert,) = found.alerts
    return alert


# --- plain JSON -------------------------------------------------------------------------------


def test_fields_lie_at_dotted_paths():
    alert = one(
        {"alarm": {"code": 17, "state": "ON", "text": ["de", "Guard open"]}, "level": 2},
        id="alarm.code",
        active="alarm.state",
        message="alarm.text.1",
        priority_at="level",
        priorities={1: "critical", 2: "high"},
    )
    assert alert == Alert(
        alarm_id="plc.17", active=True, message="Guard open", priority=Priority.HIGH
    )


def test_keys_may_have_dots_themselves():
    assert at_path({"a.b": {"c.d": 1}, "a": {"b": 2}}, "a.b.c.d") == 1
    assert at_path({"a": {"b": [5, 6]}}, "a.b.1") == 6
    assert at_path({"a": 1}, "a.b") is None


def test_without_an_id_the_topics_wildcards_name_the_alarm():
    assert one({"active": 1}).alarm_id == "plc.press1.E17"


def test_a_list_holds_one_alert_an_entry_and_a_bad_entry_hides_no_other():
    found = read(
        {"alarms": [{"id": "a", "active": True}, 7, {"id": "b", "active": False}]},
        each="alarms",
        id="id",
    )
    assert [(alert.alarm_id, alert.active) for alert in found.alerts] == [
        ("plc.a", True),
        ("plc.b", False),
    ]
    assert len(found.mistakes) == 1


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "ON", " Active ", "yes", "alarm"])
def test_many_words_mean_active(value: object):
    assert one({"active": value}).active


@pytest.mark.parametrize("value", [False, 0, 0.0, "0", "off", "Normal", "OK"])
def test_many_words_mean_inactive(value: object):
    assert not one({"active": value}).active


@pytest.mark.parametrize("value", [2, -1, "maybe", "", None, [], {}, 1e400, 10**400])
def test_what_means_neither_is_a_mistake_and_clears_nothing(value: object):
    found = read({"active": value})
    assert found.alerts == ()
    assert "expected a condition" in found.mistakes[0]


def test_a_plant_says_which_values_mean_active():
    assert one({"active": 4}, active_when=[3, 4]).active
    assert not one({"active": "idle"}, active_when=[3, 4]).active
    assert read({"active": 9}, active_when=[4], inactive_when=[0]).mistakes


def test_the_word_on_in_a_yaml_file_is_true_and_still_means_on():
    assert one({"active": "ON"}, active_when=[True]).active


def test_an_unknown_priority_is_told_but_the_alarm_is_raised():
    found = read({"active": 1, "level": 9}, priority_at="level", priorities={"1": "critical"})
    assert found.alerts[0].priority is None
    assert "expected one of 1 at 'level'" in found.mistakes[0]


# --- gateways ---------------------------------------------------------------------------------


def test_kepware_tags_are_alarms_and_bad_quality_is_a_mistake():
    found = read(
        {
            "timestamp": 1442421871000,
            "values": [
                {"id": "Ch.Dev.Guard", "v": True, "q": True, "t": 1442421871000},
                {"id": "Ch.Dev.Speed", "v": 17.5, "q": True},
                {"id": "Ch.Dev.Air", "v": False, "q": False},
            ],
        },
        shape="kepware",
        ids="Guard|Air",
        texts={"Ch.Dev.Guard": "Guard is open"},
    )
    assert found.alerts == (
        Alert(alarm_id="plc.Ch.Dev.Guard", active=True, message="Guard is open"),
    )
    assert "good quality of Ch.Dev.Air" in found.mistakes[0]


def test_neuron_tags_are_alarms_and_errors_are_mistakes():
    found = read(
        {
            "timestamp": 1,
            "node": "plc",
            "group": "alarms",
            "values": {"guard": 1, "door": 0},
            "errors": {"air": 2014},
        },
        shape="neuron",
    )
    assert [(a.alarm_id, a.active) for a in found.alerts] == [
        ("plc.guard", True),
        ("plc.door", False),
    ]
    assert found.mistakes == (f"{TOPIC}: expected a value of air, found error 2014",)


@pytest.mark.parametrize(
    ("payload", "active"), [(b"1", True), (b"ON\r\n", True), (b"false", False)]
)
def test_a_scalar_is_the_condition_alone(payload: bytes, active: bool):
    assert one(payload, shape="scalar") == Alert(
        alarm_id="plc.press1.E17", active=active, message="press1.E17"
    )


def metrics(kind: str, *entries: tuple[str, int, object], topic: str = "n1/press") -> Alerts:
    payload = payload_type()(seq=1)
    for name, alias, value in entries:
        metric = payload.metrics.add(name=name, alias=alias)
        if value is not None:
            metric.boolean_value = value
        else:
            metric.is_null = True
    return SPARKPLUG.read(f"spBv1.0/G/{kind}/{topic}", payload.SerializeToString())


SPARKPLUG = AlertReader(
    PlcAlertSettings(name="spb", filter="spBv1.0/G/#", shape="sparkplug", ids="Alarms/")
)


def test_sparkplug_metrics_are_alarms_by_name_and_then_by_alias():
    born = metrics("DBIRTH", ("Alarms/Hot", 7, True), ("Temperature", 8, False))
    later = metrics("DDATA", ("", 7, False))
    assert [alert.active for alert in born.alerts] == [True]
    assert [alert.active for alert in later.alerts] == [False]
    assert born.alerts[0].alarm_id == later.alerts[0].alarm_id
    assert ID_PATTERN.fullmatch(born.alerts[0].alarm_id)
    assert born.alerts[0].message == "n1/press/Alarms/Hot"


@pytest.mark.parametrize(
    ("kind", "entries", "said"),
    [
        ("DDATA", (("", 99, True),), "expected alias 99 in a birth"),
        ("DDATA", (("Alarms/Hot", 7, None),), "expected a condition"),
        ("DDEATH", (), "died"),
    ],
)
def test_sparkplug_that_says_no_condition_is_a_mistake(
    kind: str, entries: tuple[tuple[str, int, object], ...], said: str
):
    found = metrics(kind, *entries)
    assert found.alerts == ()
    assert said in found.mistakes[0]


# Encoded by another implementation: npm's sparkplug-payload (Tahu). The birth names bdSeq, Node
# Control/Rebirth, Alarms/Guard open (Boolean true, alias 5), Alarms/Air (Int32 0, alias 6),
# Alarms/Text (String "on") and Speed (Float 17.5); the data says alias 5 is false, without a name.
TAHU_BIRTH = bytes.fromhex(
    "0880d095ffbc31120b0a05626453657120085803121a0a144e6f646520436f6e74726f6c2f52656269727468200b70"
    "0012200a11416c61726d732f4775617264206f70656e10051880d095ffbc31200b700112190a0a416c61726d732f41"
    "697210061880d095ffbc312003500012150a0b416c61726d732f546578741008200c7a026f6e12100a055370656564"
    "100720096500008c411800"
)
TAHU_DATA = bytes.fromhex("08e8d795ffbc31120f0a00100518e8d795ffbc31200b70001801")


def test_sparkplug_of_another_implementation_is_read():
    other = AlertReader(SPARKPLUG.rule)
    born = other.read("spBv1.0/G/NBIRTH/n1", TAHU_BIRTH)
    assert [(alert.message, alert.active) for alert in born.alerts] == [
        ("n1/Alarms/Guard open", True),
        ("n1/Alarms/Air", False),
        ("n1/Alarms/Text", True),
    ]
    later = other.read("spBv1.0/G/NDATA/n1", TAHU_DATA)
    assert [(alert.message, alert.active) for alert in later.alerts] == [
        ("n1/Alarms/Guard open", False)
    ]
    assert (born.mistakes, later.mistakes) == ((), ())


def test_sparkplug_commands_say_nothing():
    assert metrics("NCMD", ("Alarms/Hot", 7, True)) == Alerts()


# --- anything else ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["json", "kepware", "neuron", "scalar"])
@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b"[1,2]", b"null", b"[" * 90_000])
def test_a_malformed_payload_is_a_mistake_with_its_topic(shape: str, payload: bytes):
    found = read(payload, shape=shape)
    assert found.alerts == ()
    assert found.mistakes[0].startswith(TOPIC)


def test_an_oversized_payload_is_a_mistake():
    assert "bytes" in read(b" " * 300_000).mistakes[0]


@example_settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps({"values": value, "active": value, "id": value}).encode()),
    st.sampled_from(["json", "kepware", "neuron", "scalar"]),
)
def test_no_payload_breaks_a_reader(payload: bytes, shape: str):
    found = read(payload, shape=shape)
    assert found.alerts or found.mistakes or shape in {"kepware", "neuron"}
    assert all(ID_PATTERN.fullmatch(alert.alarm_id) for alert in found.alerts)
    assert all(len(mistake) <= 200 for mistake in found.mistakes)


@example_settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_no_payload_breaks_the_reader_of_sparkplug(payload: bytes):
    SPARKPLUG.read("spBv1.0/G/DDATA/n1/press", payload)


@pytest.mark.parametrize(
    ("pattern", "topic", "caught"),
    [
        ("a/b", "a/b", ()),
        ("a/b", "a/c", None),
        ("a/+", "a/b", ("b",)),
        ("a/+", "a/b/c", None),
        ("a/+", "a", None),
        ("a/#", "a/b/c", ("b", "c")),
        ("a/#", "a", ()),
        ("+/b/#", "a/b", ("a",)),
        ("#", "a/b", ("a", "b")),
        ("#", "$SYS/x", None),
        ("+/x", "$SYS/x", None),
    ],
)
def test_filters_match_as_mqtt_says(pattern: str, topic: str, caught: tuple[str, ...] | None):
    assert wildcards(pattern, topic) == caught


# --- the station file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"filter": "a/#/b"}, "MQTT filter"),
        ({"filter": "a/b+"}, "MQTT filter"),
        ({"filter": ""}, "MQTT filter"),
        ({"ids": "("}, "regular expression"),
        ({"shape": "kepware", "id": "a"}, "shape: json for id"),
        ({"shape": "sparkplug"}, "which metrics are alarms"),
        ({"priorities": {"1": "high"}}, "priority_at"),
        ({"priority": "urgent"}, "critical, high, medium, low"),
        ({"inactive_when": [0]}, "active_when"),
        ({"effect": "stop"}, "hold"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(keys: dict[str, object], said: str):
    with pytest.raises(ValidationError, match=said):
        reader(**keys)
