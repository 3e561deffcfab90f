"""Adapting a pose model to one person: crops as samples, objectives, the loops, and the guard."""
