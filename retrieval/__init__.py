"""The guarded library: what is known, who may read it, and how it is found."""
