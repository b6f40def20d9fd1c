"""Columns of tables, and the Arrow batches that are made of them (extra ``arrow``: pyarrow)."""
