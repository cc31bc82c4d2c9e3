from gateway.retained import RetainedTree


class Tree(RetainedTree):
    """A tree that counts how often it woke its uplink."""

    def __init__(self) -> None:
        self.woken = 0
        super().__init__(self._wake)

    def _wake(self) -> None:
        self.woken += 1


def test_a_topic_is_said_when_it_changes_the_latest_last() -> None:
    tree = Tree()
    tree.put("a", b"1")
    tree.put("b", b"1")
    tree.put("a", b"2")
    assert (tree.take(), tree.woken) == ([("b", b"1"), ("a", b"2")], 3)
    tree.put("a", b"2")
    assert (tree.take(), tree.woken) == ([], 3)


def test_a_new_connection_says_everything_in_the_same_order() -> None:
    tree = Tree()
    for topic in ("part/0", "part/1", "manifest"):
        tree.put(topic, b"1")
    tree.take()
    tree.put("part/0", b"2")
    tree.put("manifest", b"2")
    tree.renew()
    assert tree.take() == [("part/1", b"1"), ("part/0", b"2"), ("manifest", b"2")]
    assert tree.take() == []


def test_a_topic_that_is_no_longer_ours_is_cleared_and_stays_so() -> None:
    tree = Tree()
    tree.put("a", b"1")
    tree.put("b", b"1")
    tree.take()
    tree.clear("a")
    assert tree.topics == ["b"]
    assert tree.take() == [("a", b"")]
    tree.clear("a")
    assert tree.take() == []
    tree.renew()
    assert sorted(tree.take()) == [("a", b""), ("b", b"1")]


def test_a_topic_of_an_earlier_life_can_be_cleared() -> None:
    tree = Tree()
    tree.clear("stranger")
    assert (tree.take(), tree.topics) == ([("stranger", b"")], [])


def test_a_cleared_topic_can_come_back() -> None:
    tree = Tree()
    tree.put("a", b"1")
    tree.clear("a")
    tree.put("a", b"1")
    assert (tree.take(), tree.topics) == ([("a", b"1")], ["a"])


def test_what_is_said_goes_out_even_where_it_is_nothing_new() -> None:
    tree = RetainedTree(lambda: None)
    tree.put("digest", b"1")
    assert tree.take() == [("digest", b"1")]
    tree.put("digest", b"1")
    assert tree.take() == []
    tree.say("digest", b"1")
    assert tree.take() == [("digest", b"1")]
