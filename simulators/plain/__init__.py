"""Recordings drawn from published models of RFID reads, not from the store beside them: `families.py` lists them."""
