"""GitHub's part, played on this machine."""
