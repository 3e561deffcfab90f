"""Refinement of keypoints over a clip: left/right correction, rescoring of candidates, Viterbi."""
