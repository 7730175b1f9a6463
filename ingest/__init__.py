"""Fills the library: documents are fetched, parsed, chunked, labelled and written, one durable job each."""
