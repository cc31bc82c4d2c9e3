import json
from dataclasses import replace

import pytest

from gateway.cli.why import in_words
from gateway.domain.explain import explain
from gateway.domain.items import Identity
from gateway.domain.params import PresenceParams
from gateway.domain.silence import SHORTEST_S
from gateway.domain.zones import US_PER_S
from gateway.explain import SHOWN_TRANSITIONS, RecentTransitions, known_item
from tests.gateway.shop import DOOR, RACK, READER, UTC_US, Shop, identity, tag


def test_the_numbers_behind_an_item_that_is_present() -> None:
    shop = Shop()
    shop.place(1, port=1)
    shop.read_for(20, [(1, tag(1), -50), (2, tag(1), -75)])
    shop.wait(5)
    found = explain(shop.item(1))
    assert (found.presence, found.zone, found.rival) == ("present", "a", None)
    assert found.epcs == (tag(1).hex().upper(),)
    assert [(heard.reader, heard.antenna, heard.zone) for heard in found.heard] == [(READER, 1, "a"), (READER, 2, "b")]
    assert found.heard[0].reads >= 20
    assert found.heard[0].last_us == found.seen_us
    own, other = found.zones
    assert (own.zone, other.zone, own.state) == ("a", "b", "ok")
    assert own.evidence > other.evidence > 0
    assert found.bounds is not None
    assert found.bounds.silence_s == 5.0
    assert found.bounds.counting
    assert 60 <= found.bounds.missing_after_s < found.bounds.departed_after_s


def test_its_bounds_are_those_by_which_it_leaves() -> None:
    shop = Shop({"a": replace(RACK, silence_ceiling_s=RACK.departed_floor_s)})
    shop.place(1, port=1)
    shop.read_for(300, [(1, tag(1), -55)])
    bounds = explain(shop.item(1)).bounds
    assert bounds is not None
    shop.wait(bounds.missing_after_s - 1)
    assert explain(shop.item(1)).presence == "present"
    shop.wait(2)
    assert explain(shop.item(1)).presence == "missing"
    shop.wait(bounds.departed_after_s - bounds.missing_after_s - 2)
    assert explain(shop.item(1)).presence == "missing"
    shop.wait(2)
    left = explain(shop.item(1))
    assert (left.presence, left.zone, left.bounds) == ("departed", None, None)


def test_a_door_and_a_zone_that_nobody_looks_at() -> None:
    shop = Shop()
    shop.place(1, port=3)
    bounds = explain(shop.item(1)).bounds
    assert bounds is not None
    assert bounds.leaves_silent
    assert bounds.departed_after_s >= shop.zones["door"].params.presence.exit_silence_s
    shop.fails("door")
    shop.wait(600)
    bounds = explain(shop.item(1)).bounds
    assert bounds is not None
    assert not bounds.counting
    assert bounds.silence_s < 1


def test_a_glimpse_says_what_it_lacks() -> None:
    shop = Shop()
    shop.hear(1, tag(1))
    shop.tick()
    found = explain(shop.item(1))
    assert (found.presence, found.zone, found.reads, found.reads_needed, found.bounds) == ("glimpsed", None, 1, 2, None)


def test_one_that_counts_by_its_first_read_says_so() -> None:
    shop = Shop({"a": PresenceParams()})
    shop.hear(1, tag(1))
    shop.tick()
    found = explain(shop.item(1))
    assert (found.presence, found.by_first_read, found.learnt) == ("present", True, None)
    shop.read_for(10, [(1, tag(1), -55)])
    found = explain(shop.item(1))
    assert not found.by_first_read
    assert found.learnt is not None


def test_what_its_zone_and_its_own_silences_have_taught() -> None:
    shop = Shop({"a": PresenceParams()})
    shop.read_for(60, [(1, tag(1), -55), (1, tag(2), -55)])
    assert explain(shop.item(1)).longest_s == 0.0
    shop.read_for(300, [(1, tag(1), -55)])
    shop.read_for(60, [(1, tag(1), -55), (1, tag(2), -55)])
    often, silent = explain(shop.item(1)), explain(shop.item(2))
    assert (often.longest_s, often.unexplained_s) == (0.0, SHORTEST_S)
    assert silent.longest_s == pytest.approx(300 - SHORTEST_S, abs=2)
    assert often.learnt is not None
    assert often.learnt.silences == pytest.approx(1.0, rel=0.01)
    assert often.learnt.mean_s == pytest.approx(silent.longest_s)
    assert often.learnt.stay_s == pytest.approx(PresenceParams().unseen_stay_s, rel=0.05)
    assert silent.learnt is not None
    assert silent.bounds is not None
    patience_s = min(silent.unexplained_s + silent.learnt.patience_s, PresenceParams().silence_ceiling_s)
    assert silent.bounds.departed_after_s == pytest.approx(patience_s)
    told = " ".join(words(shop, 1).split())
    assert "- silences of items read as often last 4 min" in told
    assert "1 ended; one item in 11 d" in told
    assert "longest silence" not in told
    assert "its own longest silence here: 4 min" in " ".join(words(shop, 2).split())


def test_one_that_is_being_carried_says_by_what() -> None:
    shop = Shop({"a": PresenceParams()})
    shop.read_for(30, [(1, tag(1), -55)], every_s=1.0)
    found = explain(shop.item(1))
    assert (found.carried, found.stir_db) == (False, 0.0)
    assert "carried" not in words(shop, 1)
    for dbm in (-55, -63, -52, -60, -50, -58):
        shop.read_for(1, [(1, tag(1), dbm)], every_s=1.0)
    found = explain(shop.item(1))
    assert found.carried
    assert found.stir_db > 3.0
    told = " ".join(words(shop, 1).split())
    assert f"its strength jumped by {found.stir_db:.1f} dB from look to look" in told
    assert "of items that were being carried its zone has not seen a silence end" in told


def test_a_deaf_antenna_is_named() -> None:
    shop = Shop({"a": RACK}, {"a": (1, 2)})
    shop.read_for(60, [(1, tag(serial), -55) for serial in range(20)], every_s=0.25)
    shop.wait(60)
    bounds = explain(shop.item(1)).bounds
    assert bounds is not None
    assert (bounds.counting, bounds.deaf) == (False, (f"{READER}:1",))
    assert f"{READER}:1 is up, but suddenly hears nothing" in " ".join(words(shop, 1).split())
    shop.fails("a")
    assert "an antenna of the zone is down or rests" in " ".join(words(shop, 1).split())


def test_the_words_fit_a_terminal_in_every_state() -> None:
    shop = Shop({"a": PresenceParams(), "b": RACK, "door": DOOR})
    shop.hear(1, tag(1))
    shop.tick()
    assert "counts by its first read only" in words(shop, 1)
    for port in (2, 1, 3):
        shop.read_for(60, [(port, tag(1), -45)])
        text = words(shop, 1)
        assert "evidence" in text
        assert "nats" in text
        assert "before" in text
        assert "first read only" not in text
    shop.wait(100)
    assert "has left" in words(shop, 1)


def words(shop: Shop, serial: int) -> str:
    """What `tallygate why` prints of it, within the width of a terminal."""
    found = known_item(shop.inventory, RecentTransitions(), identity(serial), shop.clock.now_us, shop.clock.utc_us())
    assert found is not None
    text = in_words(json.loads(json.dumps(found)))
    assert all(len(line) <= 80 for line in text.splitlines())
    return text


def test_a_rival_is_named() -> None:
    shop = Shop()
    shop.place(1, port=1)
    for _ in range(200):
        shop.read_for(0.25, [(2, tag(1), -40)], every_s=0.25)
        found = explain(shop.item(1))
        if found.rival is not None or found.zone == "b":
            break
    assert (found.zone, found.rival) == ("a", "b")
    assert found.zones[0].zone == "b"


def test_the_past_is_told_in_order_and_as_json() -> None:
    shop, recent = Shop(), RecentTransitions()
    utc_us = UTC_US
    for port in (1, 2, 1):
        recent.add(shop.read_for(60, [(port, tag(1), -45)]), utc_us + shop.clock.now_us)
    found = known_item(shop.inventory, recent, identity(1), shop.clock.now_us, shop.clock.utc_us())
    assert found is not None
    assert json.loads(json.dumps(found))["zone"] == "a"
    assert [(one["left"], one["entered"]) for one in found["transitions"]] == [(None, "a"), ("a", "b"), ("b", "a")]
    assert found["seen_ago_s"] == 0.0
    assert found["seen"] == found["at"]
    assert known_item(shop.inventory, recent, Identity("0", "0"), 0, 0) is None


def test_what_is_remembered_is_bounded() -> None:
    shop, recent = Shop(), RecentTransitions(limit=50)
    for serial in range(40):
        recent.add(shop.read_for(1, [(1, tag(serial), -45)], every_s=0.25), 0)
    for _ in range(3):
        for port in (2, 1):
            recent.add(shop.read_for(30, [(port, tag(39), -45)]), 0)
    assert len(recent._past) <= 50
    assert len(recent.of(identity(39))) > 5
    flood = RecentTransitions()
    for n in range(100):
        flood.add(shop.read_for(1, [(1, tag(1000), -45)]) if n < 3 else [], n * US_PER_S)
    assert 1 <= len(flood.of(identity(1000))) <= SHOWN_TRANSITIONS


def test_an_item_that_is_forgotten_keeps_its_past() -> None:
    shop, recent = Shop(), RecentTransitions()
    recent.add(shop.read_for(2, [(1, tag(1), -45)], every_s=0.5), shop.clock.utc_us())
    shop.inventory._forget(shop.item(1))
    found = known_item(shop.inventory, recent, identity(1), shop.clock.now_us, shop.clock.utc_us())
    assert found is not None
    assert (found["presence"], len(found["transitions"])) == ("unknown", 1)
