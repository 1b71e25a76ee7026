"""What `/health` reports, and how each part of it is measured."""
