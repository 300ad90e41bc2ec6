"""DNA in its one form, and the ways to read it."""

from cislens.sequences.container import BASES, Dropped, Region, Sequences, hash_bases

__all__ = ["BASES", "Dropped", "Region", "Sequences", "hash_bases"]
