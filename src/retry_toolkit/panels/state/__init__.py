"""What the panels know and can do, without a widget."""
