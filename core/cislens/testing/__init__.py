"""What plugin authors run on their own work: contracts, and oracles with known answers.

>>> import numpy as np
>>> from cislens.testing import OracleContract, bundled_toys
>>> toy = bundled_toys()[0]
>>> OracleContract(toy, toy.examples(4, np.random.default_rng(0)).onehot).check()
"""

from cislens.testing.contract import Check, Contract, ContractViolation
from cislens.testing.explainer_contract import ExplainerContract
from cislens.testing.oracle_contract import OracleContract
from cislens.testing.restricted import Restricted
from cislens.testing.toys import (
    ConvPoolToy,
    LinearToy,
    LogicToy,
    MotifToy,
    NoisyToy,
    PairwiseToy,
    SpacingToy,
    SymmetricToy,
    Toy,
    bundled_toys,
    dead_unit,
    planted_motif,
    soft_spacing,
    synonymous_mixture,
)

__all__ = [
    "Check",
    "Contract",
    "ContractViolation",
    "ConvPoolToy",
    "ExplainerContract",
    "LinearToy",
    "LogicToy",
    "MotifToy",
    "NoisyToy",
    "OracleContract",
    "PairwiseToy",
    "Restricted",
    "SpacingToy",
    "SymmetricToy",
    "Toy",
    "bundled_toys",
    "dead_unit",
    "planted_motif",
    "soft_spacing",
    "synonymous_mixture",
]
