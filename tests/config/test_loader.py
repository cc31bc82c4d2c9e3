"""Files that are right, files that are wrong, and files that are anything."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import Config, ConfigError, Problem, Severity, load
from config.bins import BIN_KEYS, SHELF_KEYS, SKU_KEYS
from config.fields import RULES
from config.loader import MAX_CONFIG_BYTES, parse
from config.models import AIR_KEYS, LLRP_KEYS, LLRP_OWN, ReaderSection, ZoneSection
from config.serial import CHAFON_KEYS, M100_KEYS, MODBUS_CHANNEL_KEYS, MODBUS_KEYS, PROFILE_KEYS, SCALE_KEYS
from gateway.domain.params import PROFILES, ItemParams, PresenceParams, Profile, ZoneKind
from readers.llrp.settings import AirSettings, LlrpSettings

Load = Callable[[str], Config]
Problems = Callable[[str], list[Problem]]
EXAMPLE = (Path(__file__).parents[2] / "config" / "example.toml").read_text()


# --- What is right -----------------------------------------------------------------------------------------------


def test_a_short_file_is_a_whole_configuration(loaded: Load, good: str, tmp_path: Path) -> None:
    config = loaded(good)
    assert (config.site.id, config.site.gateway, config.client_id) == ("store-0042", "gw-1", "store-0042-gw-1")
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.is_tls) == ("broker.example", 1883, False)
    assert (config.mqtt.prefix, config.mqtt.protocol, config.mqtt.password) == ("tallygate/v1", "5", None)
    assert config.item_params == ItemParams()
    assert config.ledger.path == Path("/var/lib/tallygate/ledger.db")
    assert (config.ledger.retain_days, config.ledger.max_bytes) == (7, 2_000_000_000)
    assert config.http.listen == ("127.0.0.1", 9477)
    (zone,) = config.zones
    assert (zone.id, zone.kind, zone.presence) == ("floor", ZoneKind.SALES_FLOOR, PROFILES[Profile.RACK])
    (reader,) = config.readers
    assert (reader.id, reader.driver, reader.antennas) == ("ceiling-1", "llrp", {1: "floor"})
    assert reader.settings == LlrpSettings(host="10.0.0.11", port=5084, antennas=(1,))
    assert config.warnings == ()
    assert config.path == tmp_path / "tallygate.toml"


def test_every_part_reaches_the_gateway(loaded: Load, tmp_path: Path) -> None:
    config = loaded(
        """
        [site]
        id = "s"
        gateway = "g"
        [mqtt]
        url = "mqtts://[2001:db8::1]:8884"
        prefix = "shop/rfid"
        protocol = "3.1.1"
        keepalive_s = 30
        [items]
        company_prefixes = ["0614141", "9506"]
        filter_values = [0, 1]
        [ledger]
        path = "data/ledger.db"
        retain_days = 0.5
        max_bytes = 50_000_000
        [http]
        listen = "[::1]:80"
        [[zones]]
        id = "till"
        kind = "checkout"
        [[zones]]
        id = "wall"
        kind = "sales_floor"
        profile = "shelf"
        missing_floor_s = 15
        leaves_silent = true
        [[readers]]
        id = "r"
        driver = "llrp"
        url = "LLRP://Reader.local:5085"
        antennas = { 2 = "till", 65535 = "wall" }
        power_dbm = 30
        mode = 1002
        report_every_tags = 20
        keepalive_s = 2.5
        antenna.2.power_dbm = 12.5
        antenna.2.session = 2
        """
    )
    assert (config.mqtt.scheme, config.mqtt.host, config.mqtt.port) == ("mqtts", "2001:db8::1", 8884)
    assert (config.mqtt.prefix, config.mqtt.protocol, config.mqtt.keepalive_s) == ("shop/rfid", "3.1.1", 30)
    assert config.item_params == ItemParams(("0614141", "9506"), frozenset({0, 1}))
    assert config.ledger.path == tmp_path / "data/ledger.db"
    assert (config.ledger.retain_days, config.ledger.max_bytes) == (0.5, 50_000_000)
    assert config.http.listen == ("::1", 80)
    till, wall = config.zones
    assert till.presence == PROFILES[Profile.DOOR]
    assert (wall.presence.missing_floor_s, wall.presence.leaves_silent) == (15.0, True)
    assert wall.presence.departed_floor_s == PROFILES[Profile.SHELF].departed_floor_s
    (reader,) = config.readers
    assert reader.antennas == {2: "till", 65535: "wall"}
    assert reader.settings == LlrpSettings(
        host="reader.local",
        port=5085,
        antennas=(2, 65535),
        air=AirSettings(power_dbm=30.0, mode=1002),
        per_antenna={2: AirSettings(power_dbm=12.5, session=2)},
        report_every_tags=20,
        keepalive_s=2.5,
    )


def test_the_built_in_broker(loaded: Load, good: str) -> None:
    config = loaded(good.replace("mqtt://broker.example", "embedded://127.0.0.1:1884"))
    assert (config.mqtt.is_embedded, config.mqtt.host, config.mqtt.port) == (True, "127.0.0.1", 1884)


def test_every_parameter_of_the_dataclasses_is_a_key_with_rules() -> None:
    presence = {field.name for field in fields(PresenceParams)}
    air = {field.name for field in fields(AirSettings)}
    llrp = {field.name for field in fields(LlrpSettings)} - LLRP_OWN
    assert presence | {"id", "kind", "profile"} == set(ZoneSection.model_fields)
    way = {"identity", "pin_sha256", "ca_file", "cert_file", "key_file"}
    way |= {"epc_filters", "start_gpi", "stop_gpi", "outputs"}
    assert air | llrp | way | {"id", "driver", "url", "antennas", "antenna"} == set(ReaderSection.model_fields)
    serial = PROFILE_KEYS | SCALE_KEYS | MODBUS_KEYS | MODBUS_CHANNEL_KEYS | M100_KEYS | CHAFON_KEYS
    assert set(RULES) == presence | air | llrp | serial | SKU_KEYS | SHELF_KEYS | BIN_KEYS
    assert (air, llrp) == (AIR_KEYS, LLRP_KEYS)


def test_every_profile_is_a_valid_set_of_parameters(loaded: Load, good: str) -> None:
    for profile in Profile:
        text = good.replace('kind = "sales_floor"', f'kind = "sales_floor"\nprofile = "{profile}"')
        assert loaded(text).zones[0].presence == PROFILES[profile]
        every = "".join(
            f"{field.name} = {str(getattr(PROFILES[profile], field.name)).lower()}\n"
            for field in fields(PresenceParams)
        )
        assert loaded(text.replace("[[readers]]", f"{every}[[readers]]")).zones[0].presence == PROFILES[profile]


# --- Fingerprint -------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_of_the_meaning(loaded: Load, good: str) -> None:
    first = loaded(good).fingerprint
    assert len(bytes.fromhex(first)) == 32
    same = [
        "# a comment\n" + good,
        good.replace('id = "store-0042"\ngateway = "gw-1"', 'gateway = "gw-1"\nid = "store-0042"'),
        good + "[items]\nfilter_values = [1]\n[ledger]\nretain_days = 7\n",
        good.replace('kind = "sales_floor"', 'kind = "sales_floor"\nprofile = "rack"\nmissing_floor_s = 60'),
        good.replace("llrp://10.0.0.11", "llrp://10.0.0.11:5084"),
    ]
    other = [
        good.replace("gw-1", "gw-2"),
        good.replace('kind = "sales_floor"', 'kind = "sales_floor"\nmissing_floor_s = 59'),
        good.replace("[[readers]]", "[[readers]]\nsession = 1"),
        good + "antenna.1.session = 1\n",
        good + "[items]\nfilter_values = [1, 7]\n",
    ]
    assert {loaded(text).fingerprint for text in same} == {first}
    assert len({loaded(text).fingerprint for text in other} | {first}) == len(other) + 1


# --- What is wrong: every problem with its line, key, expectation and hint ------------------------------------------


def test_all_problems_of_a_file_at_once(problems: Problems) -> None:
    found = problems(
        """\
[site]
id = "Store 42"

[mqtt]
url = "http://broker"
pasword_file = "x"

[ledger]
retain_dayz = 3
max_bytes = 3.5

[[zones]]
id = "floor"
kind = "sales_flor"

[[zones]]
id = "floor"
kind = "backroom"
missing_floor_s = "60"

[[readers]]
id = "c1"
driver = "llrp"
url = "llrp://10.0.0.1"
antennas = { 1 = "flor", 0 = "floor" }
session = 4
[readers.antenna.2]
power_dbm = 99
"""
    )
    assert [(problem.line, problem.key) for problem in found] == [
        (1, "site.gateway"),
        (2, "site.id"),
        (5, "mqtt.url"),
        (6, "mqtt.pasword_file"),
        (9, "ledger.retain_dayz"),
        (10, "ledger.max_bytes"),
        (14, "zones[0].kind"),
        (17, "zones[1].id"),
        (19, "zones[1].missing_floor_s"),
        (25, "readers[0].antennas.0"),
        (25, "readers[0].antennas.1"),
        (26, "readers[0].session"),
        (27, "readers[0].antenna.2"),
        (28, "readers[0].antenna.2.power_dbm"),
    ]
    assert all(problem.severity is Severity.ERROR for problem in found)
    assert all(problem.text for problem in found)
    assert all(problem.expected for problem in found)
    hints = {problem.key: problem.hint for problem in found if problem.hint.startswith("did you mean")}
    assert hints == {
        "mqtt.pasword_file": "did you mean password_file?",
        "ledger.retain_dayz": "did you mean retain_days?",
        "zones[0].kind": "did you mean sales_floor?",
        "readers[0].antennas.1": "did you mean floor?",
    }


@pytest.mark.parametrize(
    ("before", "after", "key", "said"),
    [
        ('id = "store-0042"', 'id = "store/42"', "site.id", "a-z, 0-9 and -"),
        ('id = "store-0042"', f'id = "{"x" * 65}"', "site.id", "1 to 64"),
        ('id = "store-0042"', "id = 42", "site.id", "text in quotes"),
        ("[site]", "sites = 1\n[site]", "sites", "did you mean site?"),
        ("[site]", "zones = 1\n[site]", "zones", "Cannot"),
        ("mqtt://broker.example", "mqtt://", "mqtt.url", "host name"),
        ("mqtt://broker.example", "mqtt://broker:0", "mqtt.url", "port"),
        ("mqtt://broker.example", "mqtt://broker:99999", "mqtt.url", "ort"),
        ("mqtt://broker.example", "mqtt://[broker", "mqtt.url", "mqtt://host:port"),
        ("mqtt://broker.example", "mqtt://broker/topic", "mqtt.url", "nothing after it"),
        ("[[zones]]", 'prefix = "a//b"\n[[zones]]', "mqtt.prefix", "levels of letters"),
        ("[[zones]]", 'prefix = "a/#"\n[[zones]]', "mqtt.prefix", "levels of letters"),
        ("[[zones]]", 'protocol = "4"\n[[zones]]', "mqtt.protocol", "'5', '3.1.1'"),
        ("[[zones]]", "protocol = 5\n[[zones]]", "mqtt.protocol", "'5', '3.1.1'"),
        ("[[zones]]", "keepalive_s = 0\n[[zones]]", "mqtt.keepalive_s", "at least 1"),
        ("[[zones]]", "connect_timeout_s = inf\n[[zones]]", "mqtt.connect_timeout_s", "finite"),
        ("[[zones]]", "[items]\nfilter_values = [1, 2]\n[[zones]]", "items.filter_values", "cases"),
        ("[[zones]]", "[items]\nfilter_values = []\n[[zones]]", "items.filter_values", "at least 1"),
        ("[[zones]]", '[items]\ncompany_prefixes = ["06x"]\n[[zones]]', "items.company_prefixes[0]", "4 to 12 digits"),
        ("[[zones]]", "[ledger]\nmax_bytes = 1000\n[[zones]]", "ledger.max_bytes", "at least 10000000"),
        ("[[zones]]", "[ledger]\nmax_bytes = 99999999999999999999\n[[zones]]", "ledger.max_bytes", "at most"),
        ("[[zones]]", '[http]\nlisten = "9477"\n[[zones]]', "http.listen", "host:port"),
        ("[[zones]]", '[http]\nlisten = "a:b"\n[[zones]]', "http.listen", "host:port"),
        ("[[readers]]", 'profile = "door!"\n[[readers]]', "zones[0].profile", "'rack'"),
        ("[[readers]]", "missing_chance = 1\n[[readers]]", "zones[0].missing_chance", "below 1"),
        ("[[readers]]", "leaves_silent = 1\n[[readers]]", "zones[0].leaves_silent", "true or false"),
        ("[[readers]]", "departed_floor_s = 5\n[[readers]]", "zones[0]", "at least missing_floor_s (60)"),
        ("[[readers]]", "evidence_longest_s = 0.1\n[[readers]]", "zones[0]", "at least evidence_shortest_s"),
        ("[[readers]]", "silence_ceiling_s = 30\n[[readers]]", "zones[0]", "at least departed_floor_s (60)"),
        ('driver = "llrp"', 'driver = "lrp"', "readers[0].driver", "llrp"),
        ('driver = "llrp"\n', "", "readers[0].driver", "missing"),
        ('driver = "llrp"', 'drivr = "llrp"', "readers[0].driver", "drivr is unknown: did you mean driver?"),
        ("llrp://10.0.0.11", "10.0.0.11", "readers[0].url", "starts with llrp://"),
        ('{ 1 = "floor" }', "{}", "readers[0].antennas", "at least 1"),
        ('{ 1 = "floor" }', '["floor"]', "readers[0].antennas", "a table"),
        ('{ 1 = "floor" }', '{ 65536 = "floor" }', "readers[0].antennas.65536", "1 to 65535"),
        ('{ 1 = "floor" }', '{ 01 = "floor" }', "readers[0].antennas.01", "1 to 65535"),
        ('{ 1 = "floor" }', "{ 1 = 2 }", "readers[0].antennas.1", "text in quotes"),
        ('{ 1 = "floor" }', '{ 1 = "floor" }\nantenna.1.powr_dbm = 1', "readers[0].antenna.1.powr_dbm", "power_dbm?"),
    ],
)
def test_one_fault(good: str, problems: Problems, before: str, after: str, key: str, said: str) -> None:
    assert before in good
    found = problems(good.replace(before, after, 1))
    if said == "Cannot":  # TOML itself refuses a second definition
        assert "not valid TOML" in found[0].text
        return
    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    assert [problem.key for problem in errors] == [key]
    assert said in str(errors[0])
    assert errors[0].line <= good.replace(before, after, 1).count("\n")


def test_two_readers_on_one_address(good: str, problems: Problems) -> None:
    second = '[[readers]]\nid = "c2"\ndriver = "llrp"\nurl = "llrp://10.0.0.11:5084"\nantennas = { 1 = "floor" }\n'
    (found,) = problems(good + second)
    assert (found.key, found.line) == ("readers[1].url", 17)
    assert "readers[0] has this address" in found.text


def test_a_zone_that_nobody_reads_is_a_warning(good: str, loaded: Load) -> None:
    config = loaded(good + '[[zones]]\nid = "attic"\nkind = "backroom"\n')
    (warning,) = config.warnings
    assert (warning.key, warning.line, warning.severity) == ("zones[1].id", 15, Severity.WARNING)
    assert "warning: " in str(warning)


def test_a_file_without_readers_is_a_warning(good: str, loaded: Load) -> None:
    config = loaded(good[: good.index("[[zones]]")])
    assert [warning.severity for warning in config.warnings] == [Severity.WARNING]
    assert (config.zones, config.readers) == ((), ())


# --- Files that are no configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[site]\nid = store\n", 2),
        ('[site]\nid = "a"\nid = "b"\n', 3),
        ('[site]\nid = "a', 2),
        ("[site", 1),
        ("a = 1\n\n\nb = [1,\n", 4),
        ("x = 2024-13-99\n", 1),
        ("x = " + "1" * 5000 + "\n", 1),
    ],
)
def test_syntax_errors_have_lines(problems: Problems, text: str, line: int) -> None:
    (found,) = problems(text)
    assert found.line == line
    assert "not valid TOML" in found.text
    assert "(at" not in found.text


def test_deep_nesting_is_told(problems: Problems) -> None:
    (found,) = problems("x = " + "[" * 5000 + "]" * 5000)
    assert "nested too deeply" in found.text


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b'[site]\nid = "\xff"\n')
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (MAX_CONFIG_BYTES + 1))
    for path, said in (
        (tmp_path / "absent.toml", "No such file"),
        (tmp_path, "directory"),
        (Path("a\0b"), "null"),
        (binary, "0xFF is not UTF-8"),
        (large, "more than"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(path)
        (found,) = caught.value.problems
        assert said in found.text
        assert found.place == (f"{binary}:2" if path == binary else str(path))
        assert str(found).startswith(f"{found.place}: ")


# --- Anything ----------------------------------------------------------------------------------------------------

TOKENS = st.sampled_from(
    ["=", "[", "]", "[[", "{", "}", ",", ".", '"', "'", '"""', "#", "\n", "1", "-", "true", "inf", "\\", "é", "\0", "x"]
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The example, damaged: pieces removed, doubled, replaced or put in."""
    text = EXAMPLE if draw(st.booleans()) else "\n".join(line.removeprefix("# ") for line in EXAMPLE.splitlines())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(st.sampled_from(["", text[start:end] * 2]) | TOKENS) + text[end:]
    return text


def judged(text: str, folder: Path) -> None:
    try:
        config = parse(text, folder / "x.toml", {})
    except ConfigError as error:
        refused = error
    else:
        assert {zone for reader in config.readers for zone in reader.antennas.values()} <= {z.id for z in config.zones}
        return
    assert any(problem.severity is Severity.ERROR for problem in refused.problems)
    for problem in refused.problems:
        assert 1 <= problem.line <= text.count("\n") + 1
        assert str(problem)


@given(text=mutations())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_mutation_of_the_example(text: str, tmp_path: Path) -> None:
    judged(text, tmp_path)


@given(text=st.lists(TOKENS | st.text(max_size=3), max_size=40).map("".join) | st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text(text: str, tmp_path: Path) -> None:
    judged(text, tmp_path)


LEAVES = st.sampled_from(["1", "-1", "0.5", "nan", '""', '"x"', '"\\u0000"', "true", "[]", "{}", "[[1]]", "1979-05-27"])


@given(
    value=LEAVES,
    key=st.sampled_from(
        [
            "site",
            "mqtt",
            "mqtt.password_file",
            "mqtt.url",
            "items.filter_values",
            "items.company_prefixes",
            "ledger.path",
            "http.listen",
            "zones",
            "readers",
            "readers.antennas",
            "site.id",
            "x",
        ]
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_type_anywhere(value: str, key: str, tmp_path: Path) -> None:
    judged(f"{key} = {value}\n", tmp_path)
