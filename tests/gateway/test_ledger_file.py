"""The ledger's file from outside: what is in it, what is wrong with it, and beginning anew."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import ledger as module
from gateway.cli import app
from gateway.ledger import LedgerError
from gateway.ledger_file import check, set_aside, summarise
from gateway.ledger_group import Commit
from tests.gateway.ledgers import GTIN, NOW_US, commit, life

DELTAS = 30


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A sound ledger of some deltas, half of them acknowledged."""
    where = tmp_path / "ledger.db"
    async with life(where) as ledger:
        await asyncio.gather(*(ledger.commit(commit(level)) for level in range(1, DELTAS + 1)))
        await ledger.commit(Commit(acknowledged=DELTAS // 2))
    return where


def tallygate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", *arguments])


def change(path: Path, *statements: str) -> None:
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def test_what_it_holds(path: Path) -> None:
    summary = summarise(path)
    assert (summary.site, summary.gateway, summary.seq, summary.acknowledged) == ("store-0042", "gw-1", 30, 15)
    assert (summary.items, summary.rows, summary.quantity) == (30, 1, 30)
    assert (summary.deltas, summary.unsent, summary.oldest_unsent) == (30, 15, "2026-09-21T14:13:20.000Z")
    assert [file.name for file in path.parent.iterdir() if file.name.startswith("ledger.db-")] == []
    shown = tallygate("show", "--path", str(path))
    assert shown.exit_code == 0
    assert "15 deltas, since 2026-09-21T14:13:20.000Z" in shown.stdout
    assert json.loads(tallygate("show", "--path", str(path), "--json").stdout)["unsent"] == 15


async def test_it_may_be_looked_at_while_the_gateway_runs(path: Path) -> None:
    async with life(path) as ledger:
        assert check(path).sound
        await ledger.commit(commit(DELTAS + 1))
        assert summarise(path).seq == DELTAS + 1
        assert check(path).sound


def test_a_sound_one_is_sound(path: Path) -> None:
    shares: list[float] = []
    assert check(path, shares.append).findings == []
    assert tallygate("check", "--path", str(path)).exit_code == 0


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM deltas WHERE seq = 7", "delta 7 is missing"),
        ("DELETE FROM deltas WHERE seq = 30", "counted to 30"),
        ("UPDATE deltas SET payload = x'7b7d' WHERE seq = 9", "delta 9 cannot be read"),
        ("UPDATE deltas SET payload = (SELECT payload FROM deltas WHERE seq = 3) WHERE seq = 4", "it is delta 3"),
        ("UPDATE stock SET quantity = 29", "the stock says 29, the last delta 30"),
        ("DELETE FROM stock", "the stock says 0, the last delta 30"),
        ("UPDATE ledger SET trimmed = 31", "31 dropped"),
        (
            "UPDATE deltas SET payload = CAST(replace(CAST(payload AS TEXT), 'e\":1', 'e\":2') AS BLOB) WHERE seq = 20",
            "from 19 by 2 to 20",
        ),
    ],
)
def test_what_does_not_add_up_is_said(path: Path, statement: str, said: str) -> None:
    change(path, statement)
    assert any(said in finding for finding in check(path).findings), check(path).findings
    done = tallygate("check", "--path", str(path))
    assert done.exit_code == 1
    assert "rebuild" in done.stderr


def test_findings_are_bounded(path: Path) -> None:
    change(path, "UPDATE deltas SET payload = x'00'")
    assert len(check(path).findings) == 20


def text(path: Path) -> None:
    path.write_bytes(b"this is no database at all\n" * 100)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9_000])


def gone(path: Path) -> None:
    path.unlink()


def newer(path: Path) -> None:
    change(path, "PRAGMA user_version = 999")


@pytest.mark.parametrize("damage", [text, torn, gone, newer])
@pytest.mark.parametrize("action", ["show", "check"])
def test_what_cannot_be_read_is_refused_with_a_hint(path: Path, damage: Callable[[Path], None], action: str) -> None:
    damage(path)
    done = tallygate(action, "--path", str(path))
    assert done.exit_code == 1
    assert "hint:" in done.stderr
    assert "Traceback" not in done.output


async def test_a_rebuild_keeps_the_old_file_and_begins_a_new_epoch(path: Path) -> None:
    epoch = summarise(path).epoch
    before = _content(path)
    done = tallygate("rebuild", "--path", str(path), "--yes")
    assert done.exit_code == 0, done.output
    (kept,) = _broken(path)
    assert _content(kept) == before
    assert str(kept) in done.stdout.replace("\n", "")
    async with life(path) as ledger:
        assert ledger.position.epoch != epoch
        assert ledger.position.seq == 0
        assert ledger.position.boot > NOW_US // 1_000_000


def test_a_rebuild_asks_first(path: Path) -> None:
    done = CliRunner().invoke(app, ["ledger", "rebuild", "--path", str(path)], input="n\n")
    assert done.exit_code == 1
    assert path.exists()


async def test_a_rebuild_under_a_running_gateway_is_refused(path: Path) -> None:
    async with life(path) as ledger:
        with pytest.raises(LedgerError, match="another gateway is running"):
            set_aside(path, NOW_US)
        await ledger.commit(commit(DELTAS + 1))


async def test_a_large_file_is_opened_without_reading_its_deltas(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage among the deltas does not keep the gateway from starting; damage in what it needs does."""
    monkeypatch.setattr(module, "CHECKED_WHOLE_BYTES", 0)
    async with life(path) as ledger:
        for level in range(DELTAS + 1, 400):
            ledger.submit(commit(level))
        await ledger.commit(commit(400))
    sound = _content(path)
    pages = {name: _a_page_of(path, name) for name in ("deltas", "items")}
    _spoil(path, sound, pages["deltas"])
    assert not check(path).sound
    async with life(path) as ledger:
        assert ledger.position.seq == 400
        assert [row.gtin for row in (await ledger.stock()).rows] == [GTIN]
    _spoil(path, sound, pages["items"])
    with pytest.raises(LedgerError, match="cannot be opened") as caught:
        async with life(path):
            pass
    assert "tallygate ledger rebuild" in caught.value.hint


def _a_page_of(path: Path, table: str) -> int:
    """The number of the page at the root of a table (of its b-tree)."""
    database = sqlite3.connect(path)
    ((page,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
    database.close()
    return int(page)


def _spoil(path: Path, content: bytes, page: int) -> None:
    """`content` without sense on one page."""
    at = (page - 1) * 4_096
    path.write_bytes(content[:at] + b"\xff" * 4_096 + content[at + 4_096 :])


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _broken(path: Path) -> list[Path]:
    return [file for file in path.parent.iterdir() if ".broken-" in file.name]
