"""Retrying: plan, send at most once, remember what was sent, keep what a retry erases."""
