"""The ground floor: errors, atomic files, geometry, skeletons, progress."""
