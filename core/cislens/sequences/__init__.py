"""DNA in its one form, and the ways to read it."""

from cislens.sequences.container import BASES, Dropped, Region, Sequences, hash_bases
from cislens.sequences.policy import ReadPolicy
from cislens.sequences.read import read_sequences

__all__ = ["BASES", "Dropped", "ReadPolicy", "Region", "Sequences", "hash_bases", "read_sequences"]
