"""The other ways to roll a new version under load, measured on a lab host beside our own release.

with prepared(lab, "h5") as bench: rows = others(bench)
with Old(lab, {"h2": ids}) as old: row = measure("SignUpFlow", target, release, old.gone)
console.print(table([row, *rows]))
"""

from tests.proofs.rollouts.host import Bench, prepared
from tests.proofs.rollouts.measure import measure
from tests.proofs.rollouts.measured import Measured, table
from tests.proofs.rollouts.old import Old
from tests.proofs.rollouts.others import others
from tests.proofs.rollouts.ours import ours
from tests.proofs.rollouts.traffic import Target, Timed, mixed

__all__ = ["Bench", "Measured", "Old", "Target", "Timed", "measure", "mixed", "others", "ours", "prepared", "table"]
