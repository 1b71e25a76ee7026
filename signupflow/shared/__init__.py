"""What the operator's machine and the database's host both have to know: one copy of it, on both.

The ops image holds `backup/` and this folder, nothing else of the project; so nothing in here imports anything else of it.
"""
