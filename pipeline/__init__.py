"""From a commit to production: the build, its scan, where it may go, and whether reality is still what was deployed."""
