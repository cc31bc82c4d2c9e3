import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway import command_desk, snapshots
from gateway.commands import MAX_REQUEST_BYTES
from gateway.consumer.broker import Message, MessageProperties
from gateway.daemon import Gateway
from gateway.payloads import Manifest, ReplayPage, SnapshotAnswer, StatusAnswer
from tests.broker import Broker
from tests.rig import Listener, Rig, cut_uplinks, eventually, hurry, write


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    hurry(monkeypatch)
    async with Broker(tmp_path / "broker") as broker, Rig(tmp_path, broker, readers=0) as one:
        yield one


@pytest.fixture
async def gateway(rig: Rig) -> AsyncIterator[Gateway]:
    async with rig.gateway() as one:
        yield one


@pytest.fixture
async def asker(rig: Rig, gateway: Gateway) -> AsyncIterator[Listener]:
    assert gateway.uplink.connected
    async with rig.listener("asker") as one:
        yield one


async def ask(asker: Listener, verb: str, payload: object, *, to: str | None = None) -> dict[str, Any]:
    """The answer to one command; `to` None: it comes to the verb's own reply topic."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    topic = to or asker.topics.reply(verb)
    known = len(asker.said(topic))
    properties = MessageProperties(response_topic=to, correlation_data=b"\x00\xff7" if to else None)
    asker.connection.publish(asker.topics.command(verb), raw, properties=properties)
    await asker.until(lambda: len(asker.said(topic)) > known)
    answer = asker.said(topic)[-1]
    assert answer.properties.correlation_data == (b"\x00\xff7" if to else None)
    assert answer.properties.content_type == "application/json"
    assert not answer.retain
    decoded = json.loads(answer.payload)
    assert decoded["v"] == 1
    return dict(decoded)


@pytest.mark.parametrize("to", [None, "{root}reply/central-1"])
async def test_status_tells_where_the_gateway_stands(gateway: Gateway, asker: Listener, to: str | None) -> None:
    await write(gateway, 4)
    await eventually(lambda: gateway.backlog == 0)
    target = None if to is None else to.format(root=asker.topics.root)
    status = StatusAnswer.model_validate(await ask(asker, "status", {"transaction": "t-1"}, to=target))
    assert status.transaction == "t-1"
    assert (status.site, status.gateway) == ("store", "gw")
    assert (status.epoch, status.boot) == (gateway.ledger.position.epoch, gateway.ledger.position.boot)
    assert (status.seq, status.acknowledged) == (4, 4)
    assert set(status.zones) == set(gateway.inventory.zones)
    assert status.readers == {}


async def test_an_empty_request_is_one(asker: Listener) -> None:
    assert (await ask(asker, "status", b""))["site"] == "store"


async def test_a_snapshot_is_published_on_request_and_not_too_often(
    gateway: Gateway, asker: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asker.first(asker.topics.manifest)
    await eventually(lambda: gateway.snapshots.ask() or True)
    await write(gateway, 2)
    monkeypatch.setattr(snapshots, "SNAPSHOT_AT_MOST_EVERY_S", 1.0)
    answer = SnapshotAnswer.model_validate(await ask(asker, "snapshot", {"transaction": "s"}))
    assert answer.transaction == "s"
    assert (answer.epoch, answer.as_of) == (gateway.ledger.position.epoch, 2)
    assert not answer.published, "the last one is younger than the limit: this one follows"
    await asker.until(lambda: asker.latest(asker.topics.manifest, Manifest).as_of == 2)


async def test_replay_pages_through_everything(gateway: Gateway, asker: Listener) -> None:
    await write(gateway, 1_100)
    epoch = gateway.ledger.position.epoch
    seqs: list[int] = []
    following = 1
    while following <= 1_100:
        answer = await ask(asker, "replay", {"epoch": epoch, "from": following, "transaction": str(following)})
        page = ReplayPage.model_validate(answer)
        assert page.transaction == str(following)
        assert len(page.deltas) <= 500
        seqs += [delta.seq for delta in page.deltas]
        following = page.next
    assert seqs == list(range(1, 1_101))
    beyond = ReplayPage.model_validate(await ask(asker, "replay", {"epoch": epoch, "from": 1_101}))
    assert (beyond.deltas, beyond.next) == ((), 1_101)
    # A replayed delta is the one that was published, to the byte.
    await asker.until(lambda: len(asker.seqs()) == 1_100)
    assert asker.said(asker.topics.delta)[-1].payload == page.deltas[-1].encode()


async def test_what_was_trimmed_is_gone(gateway: Gateway, asker: Listener) -> None:
    await write(gateway, 100)
    epoch = gateway.ledger.position.epoch
    await eventually(lambda: gateway.ledger.position.acknowledged == 100)
    await write(gateway, 1)
    gone = await ask(asker, "replay", {"epoch": "another", "from": 1, "transaction": "x"})
    assert (gone["error"], gone["oldest"], gone["transaction"]) == ("gone", 1, "x")
    await eventually(lambda: gateway.ledger.position.acknowledged == 101)
    await gateway.ledger.trim(gateway.clock.utc_us() + 1_000_000, 0)
    gone = await ask(asker, "replay", {"epoch": epoch, "from": 50})
    assert (gone["error"], gone["oldest"]) == ("gone", 102)
    page = await ask(asker, "replay", {"epoch": epoch, "from": 102})
    assert page["deltas"] == []


@pytest.mark.parametrize(
    ("verb", "payload", "word"),
    [
        ("dance", {}, "known: replay, snapshot, status"),
        ("", {}, "unknown verb"),
        ("status", b"\xff\xfe{", "JSON"),
        ("status", b"[1]", "payload"),
        ("status", {"surprise": 1}, "surprise"),
        ("status", {"transaction": "x" * 129}, "transaction"),
        ("status", {"v": 2}, "v:"),
        ("status", b'{"transaction":"' + b"x" * MAX_REQUEST_BYTES + b'"}', "at most"),
        ("status", b"[" * 4_000, "payload"),
        ("replay", {}, "epoch"),
        ("replay", {"epoch": "e", "from": 0}, "from"),
        ("replay", {"epoch": "e", "from": -1}, "from"),
        ("replay", {"epoch": "e", "from": 2**63}, "from"),
        ("replay", {"epoch": "e", "from": "many"}, "from"),
        ("replay", {"epoch": "e", "from": 1, "limit": 501}, "limit"),
        ("replay", {"epoch": "e", "from": 1, "limit": 0}, "limit"),
        ("replay", {"epoch": "e" * 65, "from": 1}, "epoch"),
        ("snapshot", {"part": 1}, "part"),
    ],
)
async def test_bad_requests_get_an_answer_that_says_why(
    gateway: Gateway, asker: Listener, verb: str, payload: object, word: str
) -> None:
    answer = await ask(asker, verb, payload)
    assert answer["error"] == "bad-request"
    assert word in answer["text"]
    assert len(answer["text"]) < 300
    assert gateway.commands.answered["refused"] == 1
    assert (await ask(asker, "status", {}))["site"] == "store"


async def test_a_verb_as_long_as_a_topic_may_be_ends_nothing(gateway: Gateway, asker: Listener) -> None:
    """The topic of the answer would be longer than MQTT allows."""
    root = asker.topics.root
    verb = "v" * (65_535 - len(root) - len("cmd/"))
    asker.connection.publish(root + "cmd/" + verb, b"{}")
    answer = root + "reply/" + "v" * command_desk.MAX_VERB
    assert json.loads((await asker.first(answer)).payload)["error"] == "bad-request"
    assert gateway.uplink.session == 1
    assert (await ask(asker, "status", {}))["site"] == "store"


@pytest.mark.parametrize("wanted", ["#", "a/+/b", "x" * 257, "{root}state", "{root}stock/delta", "{root}cmd/status"])
async def test_an_answer_goes_only_where_answers_may_go(gateway: Gateway, asker: Listener, wanted: str) -> None:
    """Not into the gateway's own voice, and not to a topic that is none."""
    topics = asker.topics
    properties = MessageProperties(response_topic=wanted.format(root=topics.root))
    # As if from a broker that lets even a wildcard through.
    gateway.uplink.desk.receive(Message(topics.command("status"), b"{}", properties=properties))
    assert json.loads((await asker.first(topics.reply("status"))).payload)["site"] == "store"
    assert gateway.commands.answered == {"status": 1, "snapshot": 0, "replay": 0, "refused": 0}


async def test_answers_that_the_broker_refuses_raise_no_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks names the topic: that must not fill the board of alerts."""
    hurry(monkeypatch)
    acl = ["topic readwrite #", "topic deny forbidden/#"]
    async with (
        Broker(tmp_path / "broker", acl=acl) as broker,
        Rig(tmp_path, broker, readers=0) as rig,
        rig.gateway() as gateway,
        rig.listener() as asker,
    ):
        for number in range(5):
            properties = MessageProperties(response_topic=f"forbidden/{number}")
            asker.connection.publish(rig.topics.command("status"), b"{}", properties=properties)
        await ask(asker, "status", {})
        assert gateway.commands.answered["status"] == 6
        assert not list(gateway.alerts)


async def test_retained_commands_are_not_for_now(rig: Rig, gateway: Gateway, asker: Listener) -> None:
    await rig.broker.restart()
    async with rig.listener("sender") as sender:
        await eventually(lambda: gateway.uplink.session >= 2 and gateway.uplink.connected)
        answered = gateway.commands.answered["status"]
        await sender.say((rig.topics.command("status"), b"{}"), retain=True)
        # To a subscriber that is already there it is a message like any other (MQTT 5, section 3.3.1.3).
        await sender.first(rig.topics.reply("status"))
        assert gateway.commands.answered["status"] == answered + 1
        session = gateway.uplink.session
        cut_uplinks()
        await eventually(lambda: gateway.uplink.session > session and gateway.uplink.connected)
        await ask(sender, "status", {"transaction": "live"})
        assert gateway.commands.answered["status"] == answered + 2
    assert asker.topics == rig.topics


async def test_a_flood_of_commands_is_bounded_and_counted(gateway: Gateway, asker: Listener) -> None:
    for _ in range(500):
        asker.connection.publish(asker.topics.command("replay"), b"{}")
    await eventually(lambda: gateway.commands.answered["refused"] + gateway.uplink.desk.dropped == 500)
    assert (await ask(asker, "status", {}))["site"] == "store"


@pytest.mark.parametrize("verb", ["replay", "no-such-verb"])
async def test_an_error_is_known_by_its_transaction(asker: Listener, verb: str) -> None:
    answer = await ask(asker, verb, {"transaction": "t-9", "surprise": 1})
    assert (answer["error"], answer["transaction"]) == ("bad-request", "t-9")


@pytest.mark.parametrize("strange", ["/" * 200, "a\ufeffb", "$SYS/x"])
async def test_a_strange_response_topic_does_not_end_the_connection(
    gateway: Gateway, asker: Listener, strange: str
) -> None:
    session = gateway.uplink.session
    assert gateway.uplink.desk.reply_topic("status", strange) == gateway.topics.reply("status")
    await ask(asker, "status", {})
    assert gateway.uplink.session == session
