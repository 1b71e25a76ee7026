"""What the project promises, as functions that measure it on a lab and raise when it does not hold.

Tests call them with short windows, `make prove` in full; each returns its evidence as plain data.
"""
