"""Primary beams: how much of a source each telescope sees away from where it points."""
