"""`log_confusion_matrix`: which classes a classifier takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.tracking.arrays import as_array
from mlwidgets.tracking.media import open_media

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHO = "log_confusion_matrix"
MOST_CLASSES = 2000


def log_confusion_matrix(
    name: str,
    y_true: Any = None,
    y_pred: Any = None,
    *,
    counts: Any = None,
    class_names: Sequence[Any] | None = None,
    step: int | None = None,
) -> None:
    """Record a confusion matrix, from labels or from counts.

    ``log_confusion_matrix("validation", y_true, y_pred, class_names=names, step=epoch)``. Outside a run it does
    nothing and says so once.

    Parameters
    ----------
    name
        Matrices of one name are shown with a slider over their steps.
    y_true
        The true classes: integers from 0, or texts.
    y_pred
        The predicted classes, or a score of each class for each sample (samples × classes): the highest counts.
    counts
        Instead of both: a square array, true classes in rows, predicted ones in columns, as scikit-learn makes it.
    class_names
        The classes in order. Otherwise they are the numbers, or the texts that occur, sorted.
    step
        Where none is given each name counts by itself, from 0 or from its last step.

    Raises
    ------
    TypeError, ValueError
        If labels, counts and names do not fit together; the message says how.
    """
    import numpy as np

    media, step = open_media(WHO, name, step)
    if media is None:
        return
    names = None if class_names is None else [str(c) for c in class_names]
    if counts is not None:
        if y_true is not None or y_pred is not None:
            raise TypeError(f"{WHO}: give y_true and y_pred, or counts, not both")
        matrix = _counts(counts)
    elif y_true is None or y_pred is None:
        raise TypeError(f"{WHO}: give y_true and y_pred, or counts=")
    else:
        true, predicted, names = _classes(y_true, y_pred, names)
        size = len(names) if names is not None else int(max(true.max(), predicted.max())) + 1 if len(true) else 0
        if size > MOST_CLASSES:
            raise ValueError(f"{WHO}: {size} classes are too many; the most are {MOST_CLASSES}")
        matrix = np.bincount(true * size + predicted, minlength=size * size).reshape(size, size)
    if names is not None and len(names) != len(matrix):
        raise ValueError(f"{WHO}: there are {len(names)} class names for {len(matrix)} classes")
    rows, columns = np.nonzero(matrix)
    cells = [rows.tolist(), columns.tolist(), matrix[rows, columns].tolist()]
    media.append("confusion_matrix", name, step, {"size": len(matrix), "classes": names, "cells": cells})


def _counts(counts: Any) -> NDArray[Any]:
    import numpy as np

    matrix = as_array(counts, f"{WHO}: counts")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) > MOST_CLASSES:
        raise ValueError(f"{WHO}: counts must be a square of classes × classes; the shape is {matrix.shape}")
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError(f"{WHO}: counts must be finite and not below 0")
    return matrix.astype(np.int64) if matrix.dtype.kind != "f" or (matrix == np.floor(matrix)).all() else matrix


def _classes(y_true: Any, y_pred: Any, names: list[str] | None) -> tuple[NDArray[Any], NDArray[Any], list[str] | None]:
    """Return the labels as indices of classes, and the classes' names if they have any."""
    import numpy as np

    texts = [_texts(one) for one in (y_true, y_pred)]
    if all(text is not None for text in texts):
        true, predicted = (text for text in texts if text is not None)
        names = sorted({*true, *predicted}) if names is None else names
        places = {label: place for place, label in enumerate(names)}
        if unknown := sorted({*true, *predicted} - set(places)):
            raise ValueError(f"{WHO}: the label {unknown[0]!r:.60} is not among the class names")
        found = [np.array([places[label] for label in one], dtype=np.int64) for one in (true, predicted)]
    elif any(text is not None for text in texts):
        raise TypeError(f"{WHO}: y_true and y_pred must both be numbers, or both be texts")
    else:
        found = [_indices(one, what, names) for one, what in ((y_true, "y_true"), (y_pred, "y_pred"))]
    if len(found[0]) != len(found[1]):
        raise ValueError(f"{WHO}: there are {len(found[0])} true labels and {len(found[1])} predicted ones")
    return found[0], found[1], names


def _texts(labels: Any) -> list[str] | None:
    """Return labels that are texts, None if they are something else."""
    if callable(getattr(labels, "tolist", None)) and getattr(getattr(labels, "dtype", None), "kind", "") in {
        "O",
        "U",
        "T",
    }:
        labels = labels.tolist()
    if isinstance(labels, list | tuple) and labels and all(isinstance(label, str) for label in labels):
        return [str(label) for label in labels]
    return None


def _indices(labels: Any, what: str, names: list[str] | None) -> NDArray[Any]:
    import numpy as np

    array = as_array(labels, f"{WHO}: {what}")
    if what == "y_pred" and array.ndim == 2 and array.shape[1] > 1:
        array = array.argmax(axis=1)
    array = array.reshape(-1)
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise TypeError(f"{WHO}: {what} must be whole numbers, the index of each sample's class")
    array = array.astype(np.int64)
    if len(array) and (array.min() < 0 or (names is not None and array.max() >= len(names))):
        most = "" if names is None else f" to {len(names) - 1}, for {len(names)} class names"
        raise ValueError(
            f"{WHO}: {what} must be from 0{most}; there is a {array.min() if array.min() < 0 else array.max()}"
        )
    return array
