"""Answers from the library: drafts are written by a model, checked against the passages, and kept or refused."""
