"""The embedded platform: a real single-machine platform that speaks both dialects."""
