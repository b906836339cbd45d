"""Writing completely or not at all, tables, model folders and run folders."""
