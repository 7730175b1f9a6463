"""The one place where parts are put together. Only here are adapters chosen, and heavy ones imported when needed."""
