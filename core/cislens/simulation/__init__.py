"""Sequences sampled from motif grammars, with the truth beside them."""

from cislens.simulation.dataset import read_truth
from cislens.simulation.grammar import Arrangement, Grammar
from cislens.simulation.grammar_file import bundled_grammars, load_grammar
from cislens.simulation.simulator import Simulator, simulate

__all__ = ["Arrangement", "Grammar", "Simulator", "bundled_grammars", "load_grammar", "read_truth", "simulate"]
