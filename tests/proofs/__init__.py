"""What the project promises, as functions that measure it on a lab and raise when it does not hold.

Tests call them with short windows, `pytest --full` (`make prove`) with their defaults. Each returns its evidence as plain data
and ends in `assert GOAL, evidence`: what does not hold is kept as data as well (tests/evidence/record.py).
"""
