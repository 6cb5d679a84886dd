"""Lazy frame streams: a clip is a recipe until somebody pulls its frames, chunk by chunk."""
