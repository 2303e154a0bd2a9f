"""Help with labelling: order the queue, group similar images, prelabel with a guarantee, and find label errors."""
