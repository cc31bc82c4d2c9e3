from gateway.cli.shelf import _for_people
from gateway.shelf_view import bin_view
from tests.gateway.scales import GTINS, HandScale, sku, weighed


def test_the_stories_of_a_mixed_bin_are_told_with_their_chances() -> None:
    scale = HandScale(weighed(sku(100), sku(200, 1)))
    scale.show(0, 6)
    for load_g in (100, 200, 400):
        scale.show(load_g, 6)
    shown = bin_view(scale.bin, None)
    one, other = shown["stories"]
    assert one["pieces"] == {each["gtin"]: each["pieces"] for each in shown["products"]}
    assert [one["pieces"], other["pieces"]] == [{GTINS[0]: 2, GTINS[1]: 1}, {GTINS[0]: 4, GTINS[1]: 0}]
    assert 0.99 < one["chance"] + other["chance"] <= 1
    assert f"({other['chance']:.0%})" in _for_people([shown])


def test_one_product_has_one_story_which_nobody_needs_to_be_told() -> None:
    scale = HandScale()
    scale.show(0, 6)
    assert "stories" not in bin_view(scale.bin, None)


def test_a_bin_that_is_not_counted_has_no_story() -> None:
    scale = HandScale(weighed(sku(250), sku(180, 1)))
    scale.show(900, 10)
    assert bin_view(scale.bin, "uncounted")["stories"] == []
