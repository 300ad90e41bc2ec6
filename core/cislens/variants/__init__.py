"""Effects of variants: by the model, and by the maps of explainers."""

from cislens.variants.run import VariantRun, score_variants, write_variants
from cislens.variants.summary import Summary
from cislens.variants.vcf import Record, Vcf, open_vcf

__all__ = ["Record", "Summary", "VariantRun", "Vcf", "open_vcf", "score_variants", "write_variants"]
