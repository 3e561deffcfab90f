"""Where the base model is made: labelled clips, synthetic people, the joint training loop."""
