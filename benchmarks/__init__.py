"""The other ways to roll a new version under load, measured on a lab host beside our own release.

with prepared(lab, "h5") as bench: rows = others(bench)
with Old(lab, {"h2": ids}) as old: row = measure("SignUpFlow", target, release, old.gone)
console.print(table([row, *rows]))
"""

from benchmarks.host import Bench, prepared
from benchmarks.measure import measure
from benchmarks.measured import Measured, table
from benchmarks.old import Old
from benchmarks.others import others
from benchmarks.ours import ours
from benchmarks.traffic import Target, Timed, mixed

__all__ = ["Bench", "Measured", "Old", "Target", "Timed", "measure", "mixed", "others", "ours", "prepared", "table"]
