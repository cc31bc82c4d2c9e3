"""Numbers as a person says them."""


def duration(seconds: float) -> str:
    """Seconds as a person says them: 12 s, 3 min 20 s, 5 h 2 min, 3 d 4 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    for unit, name, smaller, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name} {rest} {part}" if rest else f"{whole // unit} {name}"
    raise AssertionError("a minute is the smallest unit")
