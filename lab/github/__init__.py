"""GitHub on this machine, as far as this repository's workflows need it: their files are read and their steps run."""
