"""The bundled model, and the tour that `cislens demo` takes on it."""
