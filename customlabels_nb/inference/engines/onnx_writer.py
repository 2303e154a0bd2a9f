"""Convert convolutional networks to ONNX in memory within a fraction of a second.

PyTorch's own exporter takes ten seconds or more for the same networks and changes global state while it runs. That is
acceptable for exporting a file (:mod:`customlabels_nb.inference.exporting`), but not for starting a model. This writer
supports the layers of common convolutional networks and raises an error that names any unsupported layer. Before using
a converted model, compare its output with that of the network.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import fx, nn
from torch.nn import functional
from torchvision.ops import FrozenBatchNorm2d

_OPSET = 17
_IR_VERSION = 9

Array = npt.NDArray[Any]
Layer = Callable[["_Writer", Any, str], str]
Function = Callable[..., Any]


class NotWritableError(Exception):
    """Raised when the network contains an unsupported layer or operation, which the message names."""


def to_onnx(
    network: nn.Module,
    axes: Sequence[str | int],
    *,
    normalise: tuple[Sequence[float], Sequence[float]] | None = None,
) -> tuple[bytes, list[str] | None]:
    """Convert the network to an ONNX model with one input called ``input``, and return the keys of its outputs.

    With ``normalise`` (mean and standard deviation of each channel, for pixels scaled to 0 to 1), the input is uint8 of
    shape (n, 3, height, width), otherwise float32 as the network expects. Keys are None if it returns a tensor. Raises
    NotWritableError for an unsupported layer, or Python code that depends on tensor values.
    """
    try:
        traced = _Tracer().trace(network)
    except Exception as error:  # tracing runs the network's own code, which may raise anything
        raise NotWritableError(f"its code cannot be traced ({type(error).__name__})") from error
    writer = _Writer(network)
    values: dict[fx.Node, Any] = {}
    outputs: dict[str, str] = {}
    result: Any = None
    for node in traced.nodes:
        if node.op == "placeholder":
            values[node] = writer.normalised("input", *normalise) if normalise else "input"
        elif node.op == "output":
            result = _resolved(node.args[0], values)
            outputs = _named(result)
        else:
            values[node] = writer.add_node(node, values)
    kind = TensorProto.UINT8 if normalise else TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            "network",
            [helper.make_tensor_value_info("input", kind, list(axes))],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.values()],
            writer.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    model.ir_version = _IR_VERSION
    return model.SerializeToString(), None if isinstance(result, str) else list(outputs)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, tuple(_LAYERS)) or super().is_leaf_module(m, module_qualified_name)


def _resolved(value: Any, values: dict[fx.Node, Any]) -> Any:
    return fx.node.map_arg(value, lambda node: values[node])


def _named(result: Any) -> dict[str, str]:
    if isinstance(result, str):
        return {"0": result}
    pairs = result.items() if isinstance(result, dict) else enumerate(result)
    named = {str(key): value for key, value in pairs}
    if not all(isinstance(value, str) for value in named.values()):
        raise NotWritableError("not all of its outputs are tensors")
    return named


class _Writer:
    """Builder of the nodes and constants in an ONNX graph. Its methods return the names of the values they add."""

    def __init__(self, network: nn.Module) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._network = network

    def constant(self, value: Array | torch.Tensor | float) -> str:
        array = value.detach().cpu().contiguous().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        name = f"c{len(self.constants)}"
        plain = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(plain), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def normalised(self, pixels: str, mean: Sequence[float], std: Sequence[float]) -> str:
        centre, spread = (self.constant(255 * np.reshape(numbers, (1, 3, 1, 1))) for numbers in (mean, std))
        return self.op("Div", self.op("Sub", self.op("Cast", pixels, to=TensorProto.FLOAT), centre), spread)

    def add_node(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        arguments, named = _resolved(node.args, values), _resolved(node.kwargs, values)
        if node.op == "call_module":
            layer = self._network.get_submodule(str(node.target))
            return self.layer(layer, arguments[0])
        if node.op == "get_attr":
            parameter = operator.attrgetter(str(node.target))(self._network)
            return self.constant(parameter)
        function = _FUNCTIONS.get(node.target)
        if function is None:
            raise NotWritableError(f"it uses {getattr(node.target, '__name__', node.target)}(), which is not supported")
        try:
            return function(self, *arguments, **named)
        except TypeError as error:  # the converter in this module does not have these arguments
            words = getattr(node.target, "__name__", node.target)
            raise NotWritableError(f"it uses {words}() with unsupported arguments") from error

    def layer(self, layer: nn.Module, value: str) -> str:
        for kind in type(layer).__mro__:
            if kind in _LAYERS:
                return _LAYERS[kind](self, layer, value)
        raise NotWritableError(f"it contains a {type(layer).__name__} layer, which is not supported")


# -- layers ---------------------------------------------------------------------------------------------
def _convolution(writer: _Writer, layer: nn.Conv2d, value: str) -> str:
    if layer.padding_mode != "zeros":
        raise NotWritableError(f"it contains a convolution with padding_mode={layer.padding_mode!r}")
    if isinstance(layer, Conv2dSame) or layer.padding == "same":
        padding: dict[str, Any] = {"auto_pad": "SAME_UPPER"}
    elif layer.padding == "valid":
        padding = {"pads": [0] * 4}
    else:
        padding = {"pads": [int(side) for side in layer.padding] * 2}
    inputs = [writer.constant(parameter) for parameter in (layer.weight, layer.bias) if parameter is not None]
    kernel, strides, dilations = (list(parameter) for parameter in (layer.kernel_size, layer.stride, layer.dilation))
    shape = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": layer.groups}
    return writer.op("Conv", value, *inputs, **shape, **padding)


def _transposed(writer: _Writer, layer: nn.ConvTranspose2d, value: str) -> str:
    inputs = [writer.constant(parameter) for parameter in (layer.weight, layer.bias) if parameter is not None]
    kernel, strides, dilations, more = (
        list(parameter) for parameter in (layer.kernel_size, layer.stride, layer.dilation, layer.output_padding)
    )
    shape = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": layer.groups}
    pads = [int(side) for side in layer.padding] * 2
    return writer.op("ConvTranspose", value, *inputs, **shape, pads=pads, output_padding=more)


def _batch_norm(writer: _Writer, layer: Any, value: str) -> str:
    weight = torch.ones_like(layer.running_mean) if layer.weight is None else layer.weight
    bias = torch.zeros_like(layer.running_mean) if layer.bias is None else layer.bias
    numbers = (writer.constant(numbers_of) for numbers_of in (weight, bias, layer.running_mean, layer.running_var))
    result = writer.op("BatchNormalization", value, *numbers, epsilon=float(layer.eps))
    if isinstance(layer, BatchNormAct2d):
        result = writer.layer(layer.act, writer.layer(layer.drop, result))
    return result


def _linear(writer: _Writer, layer: nn.Linear, value: str) -> str:
    product = writer.op("MatMul", value, writer.constant(layer.weight.detach().t()))
    return product if layer.bias is None else writer.op("Add", product, writer.constant(layer.bias))


def _max_pool(writer: _Writer, layer: nn.MaxPool2d, value: str) -> str:
    return _max_pool_of(
        writer, value, layer.kernel_size, layer.stride, layer.padding, layer.dilation, bool(layer.ceil_mode)
    )


def _max_pool_of(
    writer: _Writer,
    value: str,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> str:
    if return_indices:
        raise NotWritableError("it uses max pooling with return_indices=True")
    kernel = _pair(kernel_size)
    return writer.op(
        "MaxPool",
        value,
        kernel_shape=kernel,
        strides=kernel if stride is None else _pair(stride),
        pads=_pair(padding) * 2,
        dilations=_pair(dilation),
        ceil_mode=int(ceil_mode),
    )


def _average(writer: _Writer, layer: nn.AdaptiveAvgPool2d, value: str) -> str:
    if layer.output_size not in (1, (1, 1)):
        raise NotWritableError(f"it uses adaptive pooling with output_size={layer.output_size}")
    return writer.op("GlobalAveragePool", value)


def _flatten(writer: _Writer, value: str, start_dim: int = 0, end_dim: int = -1) -> str:
    if (start_dim, end_dim) != (1, -1):
        raise NotWritableError(f"it flattens dimensions {start_dim} to {end_dim}")
    return writer.op("Flatten", value, axis=1)


def _clip(writer: _Writer, value: str, least: float, most: float) -> str:
    return writer.op("Clip", value, writer.constant(least), writer.constant(most))


def _hard_sigmoid(writer: _Writer, value: str, inplace: bool = False) -> str:
    return writer.op("HardSigmoid", value, alpha=1 / 6, beta=0.5)


def _silu(writer: _Writer, value: str, inplace: bool = False) -> str:
    return writer.op("Mul", value, writer.op("Sigmoid", value))


# -- functions ------------------------------------------------------------------------------------------
def _of_two(kind: str) -> Function:
    def write(writer: _Writer, left: Any, right: Any) -> str:
        sides = [side if isinstance(side, str) else writer.constant(float(side)) for side in (left, right)]
        return writer.op(kind, *sides)

    return write


def _of_one(kind: str) -> Function:
    def write(writer: _Writer, value: str, inplace: bool = False) -> str:
        return writer.op(kind, value)

    return write


def _attribute(writer: _Writer, value: str, name: str) -> str:
    if name != "shape":
        raise NotWritableError(f"it reads the attribute .{name} of a tensor")
    return writer.op("Shape", value)


def _item(writer: _Writer, value: Any, index: Any) -> Any:
    if not isinstance(value, str):
        return value[index]
    if index != slice(-2, None, None):
        raise NotWritableError("it slices a tensor")
    return _part(writer, value, -2, 2**31 - 1)


def _part(writer: _Writer, value: str, start: int, end: int) -> str:
    return writer.op("Slice", value, *(writer.constant(np.array([bound], dtype=np.int64)) for bound in (start, end)))


def _interpolate(
    writer: _Writer, value: str, size: Any = None, scale_factor: Any = None, mode: str = "nearest", **other: Any
) -> str:
    if mode != "nearest" or not isinstance(size, str) or scale_factor is not None or any(other.values()):
        raise NotWritableError(f"it interpolates with mode={mode!r}")
    sizes = writer.op("Concat", _part(writer, writer.op("Shape", value), 0, 2), size, axis=0)
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return writer.op("Resize", value, "", "", sizes, **how)


def _mean(writer: _Writer, value: str, dim: Any = None, keepdim: bool = False) -> str:
    axes = [dim] if isinstance(dim, int) else list(dim or ())
    if sorted(axes) not in ([2, 3], [-2, -1]):
        raise NotWritableError(f"it computes the mean over dimensions {dim}")
    pooled = writer.op("GlobalAveragePool", value)
    return pooled if keepdim else writer.op("Flatten", pooled, axis=1)


def _joined(writer: _Writer, tensors: Sequence[str], dim: int = 0) -> str:
    return writer.op("Concat", *tensors, axis=dim)


def _pair(value: Any) -> list[int]:
    return [int(value)] * 2 if isinstance(value, int) else [int(number) for number in value]


def _same(writer: _Writer, layer: nn.Module, value: str) -> str:
    return value


def _simple(function: Function) -> Layer:
    return lambda writer, layer, value: function(writer, value)


_relu, _hard_swish = _of_one("Relu"), _of_one("HardSwish")

_LAYERS: dict[type[nn.Module], Layer] = {
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _transposed,
    nn.BatchNorm2d: _batch_norm,
    FrozenBatchNorm2d: _batch_norm,
    nn.Linear: _linear,
    nn.MaxPool2d: _max_pool,
    nn.AdaptiveAvgPool2d: _average,
    nn.Identity: _same,
    nn.Dropout: _same,
    nn.ReLU: _simple(_relu),
    nn.ReLU6: lambda writer, layer, value: _clip(writer, value, 0.0, 6.0),
    nn.Hardtanh: lambda writer, layer, value: _clip(writer, value, layer.min_val, layer.max_val),
    nn.SiLU: _simple(_silu),
    nn.Sigmoid: _simple(_of_one("Sigmoid")),
    nn.Hardswish: _simple(_hard_swish),
    nn.Hardsigmoid: _simple(_hard_sigmoid),
    nn.Flatten: lambda writer, layer, value: _flatten(writer, value, layer.start_dim, layer.end_dim),
}
_FUNCTIONS: dict[Any, Function] = {
    operator.add: _of_two("Add"),
    operator.iadd: _of_two("Add"),
    torch.add: _of_two("Add"),
    operator.mul: _of_two("Mul"),
    torch.mul: _of_two("Mul"),
    torch.cat: _joined,
    torch.flatten: _flatten,
    functional.relu: _relu,
    torch.relu: _relu,
    functional.max_pool2d: _max_pool_of,
    functional.interpolate: _interpolate,
    getattr: _attribute,
    operator.getitem: _item,
    "flatten": _flatten,
    "mean": _mean,
    "relu": _relu,
}
