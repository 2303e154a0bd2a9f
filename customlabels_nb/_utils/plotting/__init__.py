"""What all plots share: style, fonts for labels in any script, and rows of labels."""
