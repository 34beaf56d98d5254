"""Carry the SQL of the schema, as package data: `NNNN_name.sql`, forward only."""
