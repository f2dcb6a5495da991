"""The same run again: from its folder alone, checked before it starts, compared with the first when it has ended."""
