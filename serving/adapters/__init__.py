"""Translators to the outside: one file per outside thing, the only place that imports its package."""
