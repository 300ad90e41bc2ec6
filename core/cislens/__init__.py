"""Ask a trained genomic sequence model what it has learned."""
