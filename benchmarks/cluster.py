"""Workers on a Ray cluster of this machine compared with the product in one process.

All contenders take turns: ``detect_many`` in one process with one thread and with all cores, and on Ray with one worker
and with two. Rates and CPU seconds count from when each worker has finished its first chunk, so that neither the start
of a worker nor that of the cluster is part of them. CPU seconds on Ray include those of the cluster's own processes.
Photos are real ones, repeated as often as necessary.

``memory`` is the memory of the driver for a million names, with workers that answer at once. ``counts`` are the counts
of a project with a million images and four million boxes.

    python benchmarks/cluster.py [--only PART] [--count 1200] [--rounds 3] [--names 1000000] [--images photos]
"""
