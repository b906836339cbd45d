"""The handle a deep method trains through: device, checkpoints, progress. Its first inhabitant is JULE."""
