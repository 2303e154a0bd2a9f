"""Networks: backbones, what goes into them, heads, and their files."""
