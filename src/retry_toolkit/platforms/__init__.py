"""Platforms: one contract, one transport, one module a platform."""
