from random import Random

from gateway.domain.counting import Verdict
from gateway.domain.mixture import MOST_STORIES, Mixture
from gateway.domain.moves import Shift
from gateway.domain.params import Bin, Sku
from gateway.domain.product import Product
from gateway.domain.records import Story
from tests.gateway.scales import sku, weighed


class Steps:
    """A mixture and the load it was told of last."""

    def __init__(self, *skus: Sku, pieces: tuple[int, ...]) -> None:
        self.params: Bin = weighed(*skus)
        products = [Product(each, count, each.unit_weight_g) for each, count in zip(skus, pieces, strict=True)]
        self.mixture = Mixture(self.params, products, [Story(pieces)])
        self.load_g = self.mixture.expected_g

    def step(self, change_g: float, shift: Shift | None = None) -> tuple[int, ...]:
        self.mixture.step(self.load_g, change_g, shift)
        self.load_g += change_g
        return self.mixture.pieces

    @property
    def certain(self) -> tuple[bool, ...]:
        return self.mixture.certain


def three(*pieces: int) -> Steps:
    return Steps(sku(250), sku(180, 1), sku(411, 2), pieces=pieces)


def test_a_step_is_the_product_that_weighs_so_much() -> None:
    steps = three(8, 8, 8)
    assert steps.step(-181) == (8, 7, 8)
    assert steps.step(249) == (9, 7, 8)
    assert steps.certain == (True, True, True)
    assert steps.step(6 * 180) == (9, 13, 8)
    assert steps.mixture.verdicts == {Verdict.SURE: 3}


def test_several_products_at_once_are_found_too() -> None:
    steps = three(3, 3, 3)
    assert steps.step(-(250 + 411)) == (2, 3, 2)
    assert steps.step(180 - 250) == (1, 4, 2)


def test_what_two_moves_explain_is_the_likelier_one_and_confirmed_only_where_both_agree() -> None:
    steps = Steps(sku(100), sku(200, 1), sku(517, 2), pieces=(4, 4, 2))
    steps.step(-200)
    assert steps.certain == (False, False, True)
    assert {story.pieces for story in steps.mixture.stories[:2]} == {(4, 3, 2), (2, 4, 2)}
    assert steps.mixture.verdicts[Verdict.AMBIGUOUS] == 1


def test_a_later_step_tells_what_an_earlier_one_was() -> None:
    """200 g less are two of 100 g or one of 200 g. Three more of 200 g than either story but one had are proof."""
    steps = Steps(sku(100), sku(200, 1), pieces=(2, 1))
    steps.step(-200)
    assert steps.certain == (False, False)
    assert steps.step(-100) == (1, 0)
    assert steps.certain == (True, True)


def test_the_whole_weight_refutes_a_story_as_the_bin_gets_emptier() -> None:
    """20 g lie between the stories: little beside what some pieces may be off together, too much for the last one."""
    steps = Steps(sku(300), sku(320, 1), pieces=(3, 3))
    steps.mixture = Mixture(steps.params, steps.mixture.products, [Story((3, 3)), Story((4, 2))])
    assert steps.certain == (False, False)
    for change_g in (-300, -320, -300, -320, -300, -320):
        steps.step(change_g)
    assert (steps.mixture.pieces, steps.certain) == ((0, 0), (True, True))


def test_a_foreign_thing_is_no_product_and_pieces_beside_it_count() -> None:
    steps = three(4, 4, 4)
    assert steps.step(35) == (4, 4, 4)
    assert steps.mixture.unexplained_g == 35
    assert not any(steps.certain)
    steps.step(-250)
    steps.mixture.look(steps.load_g)
    assert steps.mixture.pieces == (3, 4, 4)
    assert steps.step(-35) == (3, 4, 4)
    assert (steps.certain, steps.mixture.unexplained_g) == ((True, True, True), 0)


def test_what_has_lain_there_for_long_is_rather_goods_than_a_hand() -> None:
    steps = three(4, 4, 4)
    steps.step(161)
    before = [story.score for story in steps.mixture.stories if story.foreign_g]
    steps.mixture.look(steps.load_g)
    steps.mixture.linger()
    after = [story.score for story in steps.mixture.stories if story.foreign_g]
    assert after[0] < before[0] - 3
    assert steps.mixture.pieces == (3, 4, 5)


def test_nothing_is_taken_that_is_not_there_and_nothing_put_that_has_no_room() -> None:
    steps = Steps(sku(250, most=4), sku(180, 1, most=4), pieces=(0, 4))
    assert steps.step(-250) == (0, 4)
    assert steps.mixture.unexplained_g == -250
    steps = Steps(sku(250, most=4), sku(180, 1, most=4), pieces=(0, 4))
    assert steps.step(180) == (0, 4)


def test_the_place_on_the_plate_names_the_lane() -> None:
    lanes = sku(250, lane_mm=(0.0, 300.0)), sku(252, 1, lane_mm=(300.0, 600.0))
    assert Steps(*lanes, pieces=(5, 5)).step(-251, Shift(120, 5)) == (4, 5)
    assert Steps(*lanes, pieces=(5, 5)).step(-251, Shift(480, 5)) == (5, 4)
    blind = Steps(*lanes, pieces=(5, 5))
    blind.step(-251)
    assert blind.certain == (False, False)


def test_an_empty_bin_is_certain_whatever_was_told_before() -> None:
    steps = Steps(sku(100), sku(200, 1), pieces=(4, 4))
    steps.step(-200)
    steps.mixture.clear()
    assert (steps.mixture.pieces, steps.certain) == ((0, 0), (True, True))


def test_single_pieces_teach_their_weight_and_nothing_else_does() -> None:
    steps = three(8, 8, 8)
    units_g = [product.unit_g for product in steps.mixture.products]
    steps.step(500)
    steps.step(35)
    steps.step(-35)
    assert [product.unit_g for product in steps.mixture.products] == units_g
    steps.step(183)
    assert steps.mixture.products[1].unit_g > units_g[1]


def test_what_is_confirmed_is_true_and_the_stories_stay_few() -> None:
    """Hands that take, put and swap pieces of natural weight; now and then something foreign comes and goes."""
    confirmed = wrong = 0
    for seed in range(12):
        random = Random(seed)
        units_g = (250.0, 180.0, 411.0)
        steps = three(0, 0, 0)
        lying: list[list[float]] = [[], [], []]
        for _ in range(25):
            change_g = 0.0
            if random.random() < 0.03:
                foreign_g = random.uniform(20, 3000)
                steps.step(foreign_g + random.gauss(0, 0.8))
                change_g -= foreign_g
            for _ in range(2 if random.random() < 0.05 else 1):
                which = random.randrange(3)
                if lying[which] and random.random() < 0.5:
                    change_g -= lying[which].pop(random.randrange(len(lying[which])))
                else:
                    lying[which].append(units_g[which] * (1 + 0.01 * random.gauss(0, 1)))
                    change_g += lying[which][-1]
            steps.step(change_g + random.gauss(0, 0.8))
            assert len(steps.mixture.stories) <= MOST_STORIES
            for sure, pieces, there in zip(steps.certain, steps.mixture.pieces, lying, strict=True):
                confirmed += sure
                wrong += sure and pieces != len(there)
    assert confirmed > 300
    assert wrong <= 0.01 * confirmed


def test_what_was_filled_in_by_many_hands_at_once_confirms_nothing_until_it_is_empty() -> None:
    """No story tells of six and seven: something foreign does, and in the end many of the heavier one, wrongly."""
    steps = Steps(sku(62, most=24), sku(135, 1, most=24), pieces=(4, 3))
    steps.step(6 * 62 + 7 * 135)
    for _ in range(20):
        steps.mixture.look(steps.load_g)
        steps.mixture.linger()
        assert steps.certain == (False, False)
    assert steps.mixture.doubtful
    steps.mixture.clear()
    assert steps.certain == (True, True)
