"""The proof: a station, a broker and a PLC under a seeded schedule of faults, and the account."""
