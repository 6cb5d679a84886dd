"""The motion plan: how the parts of a picture move, as a document, as tracks, and as a crude moved video."""
