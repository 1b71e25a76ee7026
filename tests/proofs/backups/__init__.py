"""Backups on a real host: made, proven, restored; what fails is told once, and the old stays until something new is proven."""
