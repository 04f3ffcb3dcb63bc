"""Pipeline files of the demo; each stage process loads the one it needs by its path."""
