"""The dashboard: reads the database, and writes nothing but reviews."""
