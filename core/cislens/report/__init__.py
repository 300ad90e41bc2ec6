"""Part of cislens."""
