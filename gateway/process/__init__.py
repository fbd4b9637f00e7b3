"""The process itself: its descriptors, its environment, its garbage collector, its memory."""
