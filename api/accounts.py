"""Users and their keys, in the database. Of a key only its SHA-256 is kept."""
