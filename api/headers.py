"""Names of headers that both sides of the wire know."""

ACTING = "Lastro-As"
