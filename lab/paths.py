"""Where the lab keeps its state. Built images are shared; everything else is under one folder per lab."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB_DIR = ROOT / ".lab"
