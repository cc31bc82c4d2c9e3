"""`[epcis]`: how places are named."""

from collections.abc import Callable

import pytest

from config import Config, Problem

GLN = "https://id.gs1.org/414/9506000134369/254/"
Load = Callable[[str], Config]
Problems = Callable[[str], list[Problem]]


def with_places(good: str, uri: str) -> str:
    return f'{good}[epcis]\nplaces = "{uri}"\n'


def test_it_is_off_unless_the_table_stands_there(loaded: Load, good: str) -> None:
    off, on = loaded(good), loaded(with_places(good, GLN))
    assert off.epcis is None
    assert on.epcis is not None
    assert on.epcis.places == GLN
    assert on.fingerprint != off.fingerprint


@pytest.mark.parametrize("uri", [GLN, "https://shop.example/places/", "http://shop.example/", "urn:shop:place:"])
def test_places_have_a_gln_or_names_of_the_shops_own(loaded: Load, good: str, uri: str) -> None:
    assert loaded(with_places(good, uri)).epcis is not None


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://id.gs1.org/414/9506000134360/254/", "check digit 9"),
        ("https://id.gs1.org/414/9506000134369/", "414/GLN/254/"),
        ("https://shop.example/414/9506000134369/254/", "414/GLN/254/"),
        ("urn:epc:id:sgln:0614141.00777.", "414/GLN/254/"),
        ("https://shop.example", "ends with a slash"),
        ("https://shop.example/a b/", "ends with a slash"),
        ("shop/", "ends with a slash"),
    ],
)
def test_other_names_are_refused(problems: Problems, good: str, uri: str, expected: str) -> None:
    (problem,) = problems(with_places(good, uri))
    assert problem.key == "epcis.places"
    assert expected in problem.expected


def test_a_zone_must_fit_behind_a_gln(loaded: Load, problems: Problems, good: str) -> None:
    longest, longer = "a" * 20, "a" * 21
    assert loaded(with_places(good.replace('"floor"', f'"{longest}"'), GLN)).zones[0].id == longest
    (problem,) = problems(with_places(good.replace('"floor"', f'"{longer}"'), GLN))
    assert problem.key == "zones[0].id"
    assert "20 characters" in problem.expected
    loaded(with_places(good.replace('"floor"', f'"{longer}"'), "https://shop.example/"))
