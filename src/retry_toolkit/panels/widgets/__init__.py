"""Anywidgets, and the plain pieces that they show."""
