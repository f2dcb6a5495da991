"""What is shown of reports beside their pages: all of them, one's editions, what changed, a feed; all of it as files.

Every page is one file without a script and without an address outside. Links on it are relative and name files, so that
a server and a directory of files are the same tree.
"""
