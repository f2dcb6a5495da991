"""Schedules as files for what an organisation has: cron, systemd, Kubernetes, GitHub Actions."""
