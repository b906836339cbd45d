"""From whatever a person has (folder, list, archive, array) to one uint8 store, and from there to features."""
