"""The guard: label-free metrics on held-out frames decide which weights are used."""
