"""Skeletons in real time from a camera, a network stream or a file, and learning from them in the background."""
