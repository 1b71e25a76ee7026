"""From a commit to production: the workflows, the programs that their steps call, and the linters."""
