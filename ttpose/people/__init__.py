"""The person library: person files by name, in the user's data folder."""
