"""The shape is tested too: rooms, arrows, doors, sizes, and what must not stand in the repository."""
