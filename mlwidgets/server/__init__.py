"""The Jupyter server extension: what goes on in a project's stores, for browsers, with no kernel running."""
