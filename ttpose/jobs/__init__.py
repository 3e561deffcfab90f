"""One command on many inputs: a plain description of the work on each, and who does it, here or on a cluster."""
