"""What failures mean: pure functions from frames to frames."""
