"""Adaptation: labels, losses and loops that fit the weights to one person, and the guard."""
