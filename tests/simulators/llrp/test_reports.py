from binascii import crc_hqx

import pytest

from simulators.field import FixedField
from simulators.llrp.names import (
    EventType,
    MessageType,
    ReportTrigger,
)
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Bits
from simulators.llrp.personality import Personality
from simulators.llrp.reports import stored_crc
from tests.simulators.llrp.asking import (
    ALL_FIELDS,
    EPCS,
    START_US,
    Client,
    connected,
    events,
    listen,
    read_all,
    rospec,
    tags,
)


def test_antennas_take_turns_and_each_reports_its_own_tags() -> None:
    client = connected()
    client.run(rospec(antennas=((1, 2),)))
    seen = [(t.one(P.AntennaID).num("AntennaID"), t.one(P.EPC_96).fields["EPC"]) for t in tags(client.wait(200))]
    one, two = [(1, epc) for epc in EPCS[:3]], [(2, epc) for epc in EPCS[3:5]]
    assert seen == one + two + one + two


def test_a_pulled_antenna_is_skipped_and_said() -> None:
    client = connected()
    client.run(rospec(antennas=((1, 2),)))
    pulled = read_all(client.device.set_antenna(2, connected=False, now_us=client.now_us).data)
    assert [(e.num("EventType"), e.num("AntennaID")) for e in events(pulled)] == [(0, 2)]
    assert {t.one(P.AntennaID).num("AntennaID") for t in tags(client.wait(500))} == {1}
    back = read_all(client.device.set_antenna(2, connected=True, now_us=client.now_us).data)
    assert [(e.num("EventType"), e.num("AntennaID")) for e in events(back)] == [(1, 2)]
    assert {t.one(P.AntennaID).num("AntennaID") for t in tags(client.wait(500))} == {1, 2}


def test_a_report_has_all_fields_in_order() -> None:
    client = connected()
    client.run(rospec(on=ALL_FIELDS))
    tag = tags(client.wait(50))[0]
    shown = [(child.type, *child.fields.values()) for child in tag.children]
    assert shown == [
        (P.EPC_96, EPCS[0]),
        (P.ROSpecID, 1),
        (P.SpecIndex, 1),
        (P.InventoryParameterSpecID, 7),
        (P.AntennaID, 1),
        (P.PeakRSSI, -55),
        (P.ChannelIndex, 1),
        (P.FirstSeenTimestampUTC, START_US),
        (P.LastSeenTimestampUTC, START_US),
        (P.TagSeenCount, 1),
        (P.C1G2_PC, 0x3000),
        (P.C1G2_CRC, stored_crc(EPCS[0], 96)),
        (P.AccessSpecID, 0),
    ]


@pytest.mark.parametrize("field", sorted(ALL_FIELDS))
def test_a_report_has_exactly_what_was_asked_for(field: str) -> None:
    client = connected()
    client.run(rospec(on=frozenset({field})))
    tag = tags(client.wait(50))[0]
    assert len(tag.children) == 2
    assert tag.children[1].type.name.replace("C1G2_PC", "PCBits").replace("C1G2_", "").startswith(field[6:])


def test_the_crc_is_that_of_the_gen2_standard() -> None:
    # CRC-16/GENIBUS over PC and EPC; run over the stored CRC too it leaves the residue 0x1D0F of the standard.
    epc = EPCS[0]
    stored = (0x3000).to_bytes(2, "big") + epc + stored_crc(epc, 96).to_bytes(2, "big")
    assert crc_hqx(stored, 0xFFFF) == 0x1D0F


def test_epcs_of_other_sizes_carry_their_bit_length() -> None:
    client = Client(field=FixedField({1: [bytes(16), b"\x36" + bytes(24)]}))
    client.connect()
    client.run(rospec())
    first, second = tags(client.wait(50))
    assert first.one(P.EPCData).fields["EPC"] == Bits(128, bytes(16))
    assert second.one(P.EPCData).fields["EPC"] == Bits(200, b"\x36" + bytes(24))


def test_n_tags_make_a_report_and_repeats_accumulate() -> None:
    client = connected()
    client.run(rospec(antennas=((1, 2),), n=5, on=frozenset({"EnableAntennaID", "EnableTagSeenCount"})))
    messages = client.wait(1000)
    reports = [len(m.every(P.TagReportData)) for m in messages]
    assert reports == [5] * 10
    # Ten rounds over both antennas are twenty dwells of 50 ms; nothing got lost between reports.
    assert sum(t.one(P.TagSeenCount).num("TagCount") for t in tags(messages)) == 50


def test_the_same_tag_at_two_antennas_is_two_reports_only_if_antennas_are_told_apart() -> None:
    for on, expected in ((frozenset({"EnableAntennaID"}), 2), (frozenset({"EnablePeakRSSI"}), 1)):
        client = Client(field=FixedField({1: EPCS[:1], 2: EPCS[:1]}))
        client.connect()
        client.run(rospec(antennas=((1, 2),), n=0, duration_ms=200, on=on))
        assert len(tags(client.wait(200))) == expected


def test_reports_at_the_end_of_each_aispec() -> None:
    client = connected()
    listen(client, EventType.AISPEC)
    client.run(rospec(antennas=((1,), (2,)), ai_duration_ms=100, n=0, trigger=ReportTrigger.N_TAGS_OR_END_OF_AISPEC))
    messages = client.wait(200)
    assert [len(m.every(P.TagReportData)) for m in messages if m.type is MessageType.RO_ACCESS_REPORT] == [3, 2]
    assert [event.num("SpecIndex") for event in events(messages)] == [1, 2]
    # An immediate ROSpec without a stop trigger begins again.
    assert len(tags(client.wait(200))) == 5


def test_a_reader_that_keeps_to_the_letter_ends_when_its_specs_are_done() -> None:
    client = connected(Personality(loops_specs=False))
    client.run(rospec(ai_duration_ms=100, n=0))
    assert len(tags(client.wait(1000))) == 3
    assert client.states() == {1: 1}


@pytest.mark.parametrize(
    ("observation", "ends_after_ms"),
    [
        ({"TriggerType": 0, "NumberOfTags": 100, "NumberOfAttempts": 0, "T": 0, "Timeout": 130}, 130),
        ({"TriggerType": 1, "NumberOfTags": 0, "NumberOfAttempts": 0, "T": 60, "Timeout": 0}, 100),
        ({"TriggerType": 2, "NumberOfTags": 0, "NumberOfAttempts": 3, "T": 0, "Timeout": 0}, 150),
        ({"TriggerType": 0, "NumberOfTags": 3, "NumberOfAttempts": 0, "T": 0, "Timeout": 0}, 50),
    ],
)
def test_tag_observation_ends_an_aispec(observation: dict[str, int], ends_after_ms: int) -> None:
    client = connected(Personality(loops_specs=False))
    client.run(rospec(observation=dict(observation), n=0, trigger=ReportTrigger.N_TAGS_OR_END_OF_AISPEC))
    assert tags(client.wait(ends_after_ms - 1)) == []
    assert len(tags(client.wait(1))) == 3
    assert client.states() == {1: 1}


def test_short_aispecs_do_not_starve_later_antennas() -> None:
    client = connected()
    observation = {"TriggerType": 0, "NumberOfTags": 1, "NumberOfAttempts": 0, "T": 0, "Timeout": 0}
    client.run(rospec(antennas=((1, 2),), observation=dict(observation)))
    assert {t.one(P.AntennaID).num("AntennaID") for t in tags(client.wait(500))} == {1, 2}


def test_reports_wait_for_get_report_when_no_trigger_is_set() -> None:
    client = connected()
    client.run(rospec(trigger=ReportTrigger.NONE, n=0))
    assert client.wait(500) == []
    messages = client.ask(MessageType.GET_REPORT, message_id=31)
    assert len(tags(messages)) == 3
    assert client.sent[-1][6:10] == (31).to_bytes(4, "big")
    (empty,) = client.ask(MessageType.GET_REPORT)
    assert (empty.type, empty.children) == (MessageType.RO_ACCESS_REPORT, ())


def test_a_rospec_without_report_spec_reports_as_the_configuration_says() -> None:
    client = connected()
    client.run(rospec(reported=False))
    kinds = [child.type for child in tags(client.wait(50))[0].children]
    assert kinds == [P.EPC_96, P.AntennaID, P.PeakRSSI, P.FirstSeenTimestampUTC]


def test_a_large_report_is_cut_into_messages() -> None:
    epcs = [n.to_bytes(12, "big") for n in range(1200)]
    client = Client(field=FixedField({1: epcs}))
    client.connect()
    client.run(rospec(duration_ms=50, n=0))
    messages = client.wait(50)
    assert [len(m.every(P.TagReportData)) for m in messages] == [500, 500, 200]


def test_unchanged_fields_may_be_left_out() -> None:
    client = connected(Personality(omits_unchanged=True))
    client.run(rospec(antennas=((1, 2),), on=frozenset({"EnableAntennaID", "EnablePeakRSSI"})))
    shown = [[child.type for child in tag.children[1:]] for tag in tags(client.wait(100))]
    assert shown == [[P.AntennaID, P.PeakRSSI], [], [], [P.AntennaID], []]
