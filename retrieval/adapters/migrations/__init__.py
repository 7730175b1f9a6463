"""The history of the tables, shipped in the package so that an installed server can bring its database up to date."""
