"""Writers of the example documents: one file format each, the same bytes from the same source every time."""
