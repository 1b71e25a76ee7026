"""The application with faults on command, under /faults/. Only in the test image (tests/faults/Dockerfile)."""
