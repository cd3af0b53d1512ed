"""The napari side: dock widgets, commands, sample data. The only place that knows Qt and napari."""
