"""Keeping a store in order: what may go, what is damaged, and what nobody refers to any more."""
