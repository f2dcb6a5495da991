"""Who chooses the next trial: a study of Optuna, kept in the sweep's folder."""
