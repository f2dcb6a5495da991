"""Telling people: by e-mail, webhook, command and in the browser; and what must never be told."""
