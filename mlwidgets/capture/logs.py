"""How the notebook has set up `logging`: levels, and the handlers that write to the cell's output or to files."""

from __future__ import annotations

import logging
import sys
from typing import Any

_STREAMS = ("stdout", "stderr")


def gather() -> dict[str, Any]:
    """Return the set-up of this process's loggers; handlers of other kinds stay behind."""
    loggers = {n: v for n, v in logging.Logger.manager.loggerDict.items() if isinstance(v, logging.Logger)}
    state = {"": _logger(logging.getLogger())}
    for name, logger in loggers.items():
        own = _logger(logger)
        if own["handlers"] or logger.level or logger.disabled or not logger.propagate:
            state[name] = own
    return {"loggers": state, "disable": logging.Logger.manager.disable}


def _logger(logger: logging.Logger) -> dict[str, Any]:
    handlers = [described for h in logger.handlers if (described := _handler(h)) is not None]
    return {
        "level": logger.level,
        "propagate": logger.propagate,
        "disabled": logger.disabled,
        "handlers": handlers,
    }


def _handler(handler: logging.Handler) -> dict[str, Any] | None:
    """Describe a handler of the two kinds that mean the same in another process."""
    described = {"level": handler.level, "formatter": handler.formatter, "filters": list(handler.filters)}
    if type(handler) is logging.FileHandler:
        return {**described, "file": handler.baseFilename, "encoding": handler.encoding}
    if type(handler) is logging.StreamHandler:
        for name in _STREAMS:
            if handler.stream is getattr(sys, name):
                return {**described, "stream": name}
    return None


def apply(state: dict[str, Any]) -> None:
    """Set this process's loggers up alike."""
    if logging.root.manager.disable != state["disable"]:
        logging.disable(state["disable"])
    for name, own in state["loggers"].items():
        logger = logging.getLogger(name)
        if logger.level != own["level"]:
            logger.setLevel(own["level"])  # slow: it clears a cache of every logger
        logger.propagate, logger.disabled = own["propagate"], own["disabled"]
        for described in own["handlers"]:
            logger.addHandler(_make(described))


def _make(described: dict[str, Any]) -> logging.Handler:
    handler: logging.Handler
    if "file" in described:
        handler = logging.FileHandler(described["file"], encoding=described["encoding"], delay=True)
    else:
        handler = logging.StreamHandler(getattr(sys, described["stream"]))
    handler.setLevel(described["level"])
    handler.setFormatter(described["formatter"])
    for one in described["filters"]:
        handler.addFilter(one)
    return handler
