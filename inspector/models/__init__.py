"""The models behind the pipeline's Protocols; each vendor is imported inside one module here."""
