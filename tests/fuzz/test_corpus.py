import pytest

from tests.fuzz.corpus import FOLDER, connection, corpus, written
from tests.readers.llrp.test_reports import check_against_walker


def test_the_corpus_is_what_the_simulated_readers_say() -> None:
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == corpus()


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in corpus().items()])
def test_each_is_a_connection_that_is_understood(content: bytes) -> None:
    bodies = list(connection(content))
    assert len(bodies) == 3
    assert written(bodies) == content
    check_against_walker([body for body in bodies for _ in range(2)])
