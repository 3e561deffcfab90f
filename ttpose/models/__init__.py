"""Networks and weights files: tensors live here; `Predictor` is the door for numpy."""
