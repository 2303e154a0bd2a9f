"""Style of all plots, fonts for labels in any script, and rows of labels."""
