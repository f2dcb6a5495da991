"""`log_image`: arrays, tensors, figures, PIL images and files as pictures, over the steps of a run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from mlwidgets.tracking.active import tell_once
from mlwidgets.tracking.arrays import as_array
from mlwidgets.tracking.media import Write, content_name, open_media
from mlwidgets.tracking.png import encode_png, shrink

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 64
"""Images of one call that are kept."""
PREVIEW = 192
"""Pixels of the longer side from which on a smaller copy is kept beside the image, for views."""
FORMATS = ("HW", "HWC", "CHW", "NHW", "NHWC", "NCHW")
_KINDS = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp"))


class _Picture(NamedTuple):
    """A file's content; ``preview`` is a smaller one, ``size`` width and height if known."""

    data: bytes
    suffix: str
    size: tuple[int, int] | None = None
    preview: bytes | None = None


def log_image(
    name: str,
    image: Any,
    *,
    step: int | None = None,
    caption: str | Sequence[str] | None = None,
    dataformats: str | None = None,
) -> None:
    """Record an image, or several of one step.

    ``log_image("samples", generator(noise), step=epoch)``. Outside a run it does nothing and says so once.

    Parameters
    ----------
    name
        Images of one name share a strip with a slider over their steps.
    image
        An array or a tensor on any device (uint8, integers of 0 to 255, bool, or floats of 0 to 1: what lies beyond
        is clipped); a PIL image; a matplotlib figure; the path or the bytes of a PNG, JPEG, GIF, WebP, BMP or SVG
        file; a batch of four dimensions or a list of all these, of which the first 64 are kept.
    step
        Where none is given each name counts by itself, from 0 or from its last step.
    caption
        A text, or one for each image.
    dataformats
        The order of an array's dimensions: HW, HWC, CHW, NHW, NHWC or NCHW. Otherwise channels are looked for last,
        then first; of a torch tensor first, then last.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If it is no image; the message says why.
    """
    media, step = open_media("log_image", name, step)
    if media is None:
        return
    if dataformats is not None and dataformats not in FORMATS:
        raise ValueError(f"log_image: dataformats must be one of {', '.join(FORMATS)}, not {dataformats!r:.60}")
    pictures = _pictures(name, image, dataformats)
    captions = [caption] * len(pictures) if caption is None or isinstance(caption, str) else list(caption)
    if len(captions) < len(pictures):
        raise ValueError(f"log_image: {name!r} has {len(pictures)} images and {len(captions)} captions")
    files: dict[str, Write] = {}
    items = []
    for picture, text in zip(pictures, captions, strict=False):
        item: dict[str, Any] = {"file": content_name(picture.data, picture.suffix), "bytes": len(picture.data)}
        files[item["file"]] = _writing(picture.data)
        if picture.preview is not None:
            item["preview"] = content_name(picture.preview, "png")
            files[item["preview"]] = _writing(picture.preview)
        if picture.size:
            item["width"], item["height"] = picture.size
        if text is not None:
            item["caption"] = str(text)
        items.append(item)
    media.append("image", name, step, {"images": items}, files)


def _writing(data: bytes) -> Write:
    return lambda file: file.write(data)


def _pictures(name: str, image: Any, dataformats: str | None) -> list[_Picture]:
    several = isinstance(image, list | tuple) and bool(image) and all(map(_is_image, image))
    images = list(image[:MOST]) if several else [image]
    count = len(image) if several else 1
    pictures = []
    for one in images:
        made = _from_object(name, one)
        if made is not None:
            pictures.append(made)
            continue
        batch = _batch(name, one, dataformats)
        count += len(batch) - 1
        pictures += [_from_pixels(name, pixels) for pixels in batch[: MOST - len(pictures)]]
    if count > len(pictures):
        tell_once(f"log_image: of the {count} images of {name!r} the first {len(pictures)} are kept.")
    return pictures


def _is_image(value: Any) -> bool:
    """Whether an element of a list is an image by itself, and not a row of numbers."""
    known = isinstance(value, str | PurePath | bytes) or callable(getattr(value, "savefig", None)) or _is_pil(value)
    return known or len(getattr(value, "shape", ())) >= 2


def _is_pil(value: Any) -> bool:
    return callable(getattr(value, "save", None)) and isinstance(getattr(value, "mode", None), str)


def _from_object(name: str, value: Any) -> _Picture | None:
    """Return the picture of what is no array."""
    if isinstance(value, str | PurePath):
        path = Path(value).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"log_image: there is no file {str(value)!r:.200} for {name!r}")
        return _from_file(name, path.read_bytes(), str(value))
    if isinstance(value, bytes | bytearray):
        return _from_file(name, bytes(value), f"{len(value)} bytes")
    stream = io.BytesIO()
    if callable(getattr(value, "savefig", None)):
        value.savefig(stream, format="png")
        return _from_file(name, stream.getvalue(), "figure")
    if not _is_pil(value):
        return None
    fits = value.mode in {"1", "L", "LA", "P", "RGB", "RGBA"}
    shown = value if fits else value.convert("RGB")
    shown.save(stream, format="PNG")
    preview = None
    if max(shown.size) > PREVIEW:
        small = shown.convert("RGBA" if "A" in shown.mode or shown.mode == "P" else "RGB")
        small.thumbnail((PREVIEW, PREVIEW))
        output = io.BytesIO()
        small.save(output, format="PNG")
        preview = output.getvalue()
    return _Picture(stream.getvalue(), "png", (int(shown.size[0]), int(shown.size[1])), preview)


def _from_file(name: str, data: bytes, what: str) -> _Picture:
    suffix = next((suffix for begin, suffix in _KINDS if data.startswith(begin)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        suffix = "webp"
    elif b"<svg" in data[:2000]:
        suffix = "svg"
    if suffix is None:
        raise ValueError(f"log_image: {name!r} must be a PNG, JPEG, GIF, WebP, BMP or SVG file; {what} is none")
    size = (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) if suffix == "png" else None
    return _Picture(data, suffix, size)


def _batch(name: str, value: Any, dataformats: str | None) -> NDArray[Any]:
    """Return an array of shape (images, height, width, channels), of the type that it was."""
    import numpy as np

    array = as_array(value, f"log_image: {name!r}")
    order = dataformats or _guess(array.shape, channels_first=callable(getattr(value, "detach", None)))
    if order is None or array.ndim != len(order):
        wanted = f"the dimensions {dataformats}" if dataformats else "height, width and 1, 2, 3 or 4 channels"
        raise ValueError(f"log_image: {name!r} must have {wanted}; its shape is {array.shape}")
    if "N" not in order:
        array, order = array[np.newaxis], f"N{order}"
    if "C" not in order:
        array, order = array[..., np.newaxis], f"{order}C"
    if order == "NCHW":
        array = array.transpose(0, 2, 3, 1)
    if array.shape[-1] not in {1, 2, 3, 4} or 0 in array.shape:
        raise ValueError(
            f"log_image: {name!r} must have 1, 2, 3 or 4 channels and no side of 0; got {order} {array.shape}"
        )
    return array


def _guess(shape: tuple[int, ...], *, channels_first: bool) -> str | None:
    """Return the order of dimensions that a shape has most likely, None if it is no image's."""
    if len(shape) == 2:
        return "HW"
    if len(shape) not in {3, 4}:
        return None
    places = {"HWC": shape[-1], "CHW": shape[-3]}
    likely = ["CHW", "HWC"] if channels_first else ["HWC", "CHW"]
    # Two channels are rare: such a side is more often a tiny height or width.
    found = [order for channels in ((1, 3, 4), (2,)) for order in likely if places[order] in channels]
    return "N" * (len(shape) - 3) + found[0] if found else None


def _from_pixels(name: str, array: NDArray[Any]) -> _Picture:
    pixels = _as_bytes(name, array)
    small = shrink(pixels, PREVIEW)
    preview = None if small is pixels else encode_png(small)
    return _Picture(encode_png(pixels), "png", (pixels.shape[1], pixels.shape[0]), preview)


def _as_bytes(name: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    import numpy as np

    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    whole = array.dtype.kind in "iu"
    high = 255 if whole else 1
    finite = array if whole else np.nan_to_num(array, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if finite.min() < 0 or finite.max() > high:
        tell_once(
            f"log_image: values of {name!r} lie from {finite.min():.4g} to {finite.max():.4g} and are clipped to 0 to "
            f"{high}: scale them, or give uint8."
        )
    clipped = finite.clip(0, high)
    return clipped.astype(np.uint8) if whole else (clipped.astype(np.float32) * 255).round().astype(np.uint8)
