"""What changed from one evaluation to another: metrics, intervals of the differences, images fixed and broken."""
