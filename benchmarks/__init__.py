"""What the toolkit claims about speed and memory, each claim against a named baseline in the same run."""
