"""Evaluation: reports of how close stains come to fluorescence."""
