from gateway.domain.moves import MANY_PRODUCTS, Moves, Shift, lies_there

UNITS_G = (250.0, 180.0, 411.0)


def test_moves_are_found_by_their_weight_and_no_other_one() -> None:
    near = Moves(UNITS_G).near(-430, 2)
    assert (-1, -1, 0) in {move.pieces for move in near}
    assert all(-432 <= move.grams <= -428 for move in near)
    assert [move.pieces for move in Moves(UNITS_G).near(0, 0.5)] == [(0, 0, 0)]


def test_a_restock_of_one_product_is_a_move() -> None:
    assert (0, 24, 0) in {move.pieces for move in Moves(UNITS_G).near(24 * 180, 1)}


def test_what_hands_rarely_do_costs_more() -> None:
    cost = {move.pieces: move.cost for move in Moves(UNITS_G).near(0, 10_000)}
    assert cost[0, 0, 0] == cost[-1, 0, 0] == 0
    assert 0 < cost[0, 2, 0] < cost[0, 6, 0] < cost[-1, -1, 0] < cost[-1, 1, 0] < cost[-1, 2, 0]


def test_the_number_of_moves_stays_near_a_thousand() -> None:
    for products in (MANY_PRODUCTS, 6):
        units_g = [100.0 + 37 * number for number in range(products)]
        assert len(Moves(units_g).near(0, 1e6)) < 1300


def test_a_place_fits_the_lanes_of_what_all_came_or_all_went() -> None:
    lanes = ((0.0, 300.0), (300.0, 600.0), None)
    moves = {move.pieces: move for move in Moves(UNITS_G).near(0, 10_000)}
    left, right = Shift(120, 5), Shift(480, 5)
    assert lies_there(moves[-1, 0, 0], UNITS_G, lanes, left)
    assert not lies_there(moves[-1, 0, 0], UNITS_G, lanes, right)
    assert lies_there(moves[0, 2, 0], UNITS_G, lanes, right)
    assert lies_there(moves[1, -1, 0], UNITS_G, lanes, right), "a swap has no one place"
    assert lies_there(moves[0, 0, 1], UNITS_G, lanes, left), "it lies anywhere"
    assert lies_there(moves[0, 0, 0], UNITS_G, lanes, right)
