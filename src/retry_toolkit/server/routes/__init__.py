"""Endpoints of the embedded platform: one module a dialect, and what surrounds them."""
