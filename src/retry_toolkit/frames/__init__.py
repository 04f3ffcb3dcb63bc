"""Canonical frames: their columns, how records become frames, and how frames are loaded."""
