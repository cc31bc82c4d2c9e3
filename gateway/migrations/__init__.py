"""The ledger's schema, one file a step, applied in the order of their numbers and never edited once released."""

from importlib import resources


def steps() -> list[tuple[int, str]]:
    """(version, SQL) of every migration, oldest first."""
    files = (entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".sql"))
    return sorted((int(entry.name[:4]), entry.read_text(encoding="utf-8")) for entry in files)
