"""Training: pairs, patches, one step, the loop, and the folder a run lives in."""
