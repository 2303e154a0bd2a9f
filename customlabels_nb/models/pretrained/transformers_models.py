"""Load networks of transformers from folders that are not trusted, with strict checks and without output."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeAlias

from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.text import first_line
from customlabels_nb.errors import CustomLabelsError, MissingDependencyError, ModelError
from customlabels_nb.models.pretrained.weights import Weights
from customlabels_nb.models.weights_file import build_empty, read_shapes

#: Value of each channel.
Color: TypeAlias = tuple[float, float, float]

#: Keys of a configuration that run code, or change how weights are read or computed with.
_REFUSED = ("auto_map", "quantization_config", "attn_implementation", "_attn_implementation")
#: Types of the numbers in a file, which a configuration may name. They are always converted to float32.
_DTYPES = (None, "float32", "float16", "bfloat16")
#: Keys that are no fields of the class, but that all classes with features of several layers accept.
_LAYERS = ("out_features", "out_indices")
_PROCESSOR = "processor_config.json"
#: Largest numbers in a configuration, by the end of their key.
_MOST = {"image_size": 4096, "vocab_size": 1 << 20, "token_id": 1 << 20, "": 1 << 16}
_MOST_ENTRIES, _MOST_TEXT = 256, 100


@contextmanager
def needs_transformers(what: str) -> Iterator[None]:
    """Say how to install transformers, which ``what`` needs, if it cannot be imported inside the block."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"{what} needs transformers. Install it with: {extra_command('foundation')}"
        ) from error


@contextmanager
def usable(what: str) -> Iterator[None]:
    """Silence transformers, and convert its errors, which are of many kinds, to ModelError: ``what`` is not usable."""
    try:
        with quiet():
            yield
    except CustomLabelsError:
        raise
    except BaseException as error:
        # a panic of tokenizers, a Rust library, is not an Exception, and its type is not public
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ModelError(f"{what} cannot be used: {first_line(error) or type(error).__name__}.") from error


def read_config(kind: Any, values: Mapping[str, Any]) -> Any:
    """Build a configuration of a class from those entries that the class declares.

    ValueError if a value is out of range, a part has another type, or a key of :data:`_REFUSED` has a value.
    """
    return kind.from_dict(_allowed(kind, values))


def _allowed(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    from transformers import PreTrainedConfig

    common = {field.name for field in fields(PreTrainedConfig)}
    own = {field.name for field in fields(kind)} - common | {*kind.attribute_map, *_LAYERS, "num_labels"}
    allowed: dict[str, Any] = {}
    for key, value in values.items():
        refused = key in _REFUSED and value is not None
        if refused or (key in ("dtype", "torch_dtype") and value not in _DTYPES):
            raise ValueError(f"{key}={str(value)[:_MOST_TEXT]!r} is not supported")
        if key in kind.sub_configs and value is not None:
            part = type(getattr(kind(), key))  # the default. Other types may download weights
            found = value.get("model_type", part.model_type) if isinstance(value, Mapping) else value
            if found != part.model_type:
                raise ValueError(f"{key} has the type {str(found)[:_MOST_TEXT]!r}, not {part.model_type!r}")
            allowed[key] = {**_allowed(part, value), "model_type": part.model_type}
        elif key == "id2label" and isinstance(value, Mapping):
            allowed.setdefault("num_labels", len(value))
        elif key in own:
            _check_range(key, value)
            allowed[key] = value
    return allowed


def _check_range(key: str, value: Any) -> None:
    if isinstance(value, list | tuple) and len(value) <= _MOST_ENTRIES:
        for entry in value:
            _check_range(key, entry)
        return
    most = next(most for end, most in _MOST.items() if key.endswith(end))
    in_range = isinstance(value, int | float) and abs(value) <= most
    if value is not None and not in_range and not (isinstance(value, str) and len(value) <= _MOST_TEXT):
        raise ValueError(f"{key}={str(value)[:_MOST_TEXT]!r} is out of range")


def load_part(kind: Any, weights: Weights) -> Any:
    """Load a model class of transformers in float32 and eval mode. Layers that the class lacks are left out."""
    import torch
    from safetensors.torch import load_file

    values, path = weights.read_json("config.json"), weights.folder / "model.safetensors"
    with usable(f"The weights in {str(weights.folder)!r}"):
        config = read_config(kind.config_class, values.get(kind.config_class.base_config_key, values))
        build_empty(lambda: kind(config), read_shapes(path))
        model, loading = kind.from_pretrained(
            None, config=config, state_dict=load_file(path), dtype=torch.float32, output_loading_info=True
        )
    if loading["missing_keys"]:
        missing = ", ".join(sorted(loading["missing_keys"])[:3])
        raise ModelError(f"The weights in {str(weights.folder)!r} lack {missing}.")
    return model.eval()


def read_normalisation(weights: Weights) -> tuple[Color, Color, dict[str, Any]]:
    """Return mean and standard deviation of the channels of a model's input, and all facts of its image processor.

    A processor of transformers 5 saves these facts in ``processor_config.json``, which transformers prefers, too.
    """
    name, facts = _PROCESSOR, None
    if (weights.folder / _PROCESSOR).exists():
        facts = weights.read_json(_PROCESSOR).get("image_processor")
    if facts is None:
        name = "preprocessor_config.json"
        facts = weights.read_json(name)
    try:
        mean, std = (_color(facts[key]) for key in ("image_mean", "image_std"))
        if min(std) <= 0 or not all(map(math.isfinite, (*mean, *std))):
            raise ValueError(f"image_mean={mean!r}, image_std={std!r}")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(f"{str(weights.folder / name)!r} cannot be used: {first_line(error)}.") from error
    return mean, std, facts


def load_tokenizer(weights: Weights, *, pads: bool) -> Any:
    """Load a tokenizer. ModelError if it ``pads`` texts, but has no token for that."""
    from transformers import AutoTokenizer

    with usable(f"The tokenizer in {str(weights.folder)!r}"):
        tokenizer = AutoTokenizer.from_pretrained(weights.folder, local_files_only=True, trust_remote_code=False)
    if pads and tokenizer.pad_token is None:
        raise ModelError(
            f"The tokenizer in {str(weights.folder)!r} has no pad token, which short texts need. Set "
            "tokenizer.pad_token to that of the original model, and save the tokenizer again."
        )
    return tokenizer


def _color(values: Any) -> Color:
    red, green, blue = map(float, values)
    return red, green, blue


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bar of transformers, and its warnings about layers that are left out."""
    from transformers.utils import logging

    level, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if had_bar:
            logging.enable_progress_bar()
