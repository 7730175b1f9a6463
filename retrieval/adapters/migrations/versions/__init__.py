"""One file a revision, each frozen once it was released."""
