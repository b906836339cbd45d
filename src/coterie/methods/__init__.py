"""Deep methods, one file each. ``METHODS`` names them; the first, JULE, is on its way."""
