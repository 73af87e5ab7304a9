"""The networks that the package ships, with their manifest and `NOTICE`."""
