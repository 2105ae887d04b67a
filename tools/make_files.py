#!/usr/bin/env python3
"""Writes small files with common libraries, as test data for tests/golden/files.

    pip install torch safetensors numpy pillow
    python tools/make_files.py tests/golden/files

Also writes `expected.json`: for each checkpoint the section to select, the prefix to remove, and the type, shape and values of
every tensor; for every other file a part of the error message.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file

EXPECTED = {}
NAMES = {
    torch.bool: "bool",
    torch.uint8: "u8",
    torch.int8: "i8",
    torch.uint16: "u16",
    torch.int16: "i16",
    torch.int32: "i32",
    torch.int64: "i64",
    torch.float8_e4m3fn: "f8_e4m3",
    torch.float8_e5m2: "f8_e5m2",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.float32: "f32",
    torch.float64: "f64",
}


def expect(path, section, tensors, prefix="", others=()):
    """Records what a reader must find in a file: exactly `tensors`."""

    def describe(tensor):
        values = tensor.detach().to(torch.float64).flatten().tolist()
        return {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "values": values}

    EXPECTED[path.name] = {
        "section": section,
        "prefix": prefix,
        "others": list(others),
        "tensors": {name: describe(tensor) for name, tensor in tensors.items()},
    }


def refuse(path, says):
    """Records the expected error message of a file that is not a checkpoint."""
    EXPECTED[path.name] = {"says": says}


def weights(seed):
    """Returns the tensors that identify a MAR model, and one more."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"class_emb.weight": (3, 2), "encoder_norm.weight": (2,), "mask_token": (1, 1, 2)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def prefixed(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def sections(out):
    """Averaged weights under their common names, and raw weights only."""
    averaged, raw = weights(0), weights(1)
    arguments = argparse.Namespace(lr=1e-4)
    for name in ["model_ema", "ema", "ema_state_dict", "state_dict_ema", "params_ema"]:
        path = out / f"section_{name}.pth"
        optimizer = torch.optim.AdamW([torch.nn.Parameter(raw["mask_token"].clone())])
        torch.save({"model": raw, name: averaged, "optimizer": optimizer.state_dict(), "args": arguments, "epoch": 3}, path)
        expect(path, name, averaged, others=["model"])
    path = out / "nested.pth"
    torch.save({"ema": {"decay": 0.9999, "module": averaged}, "model": raw}, path)
    expect(path, "ema.module", averaged, others=["model"])
    path = out / "ema_pytorch.pth"
    both = {"initted": torch.tensor(True), "step": torch.tensor(7), **prefixed("online_model.", raw), **prefixed("ema_model.", averaged)}
    torch.save({"ema": both}, path)
    expect(path, "ema.ema_model", averaged, others=["ema.online_model"])
    path = out / "lightning.ckpt"
    state = {**prefixed("model.", raw), "loss.scale": torch.ones(1)}
    torch.save({"epoch": 3, "global_step": 7, "pytorch-lightning_version": "2.4.0", "state_dict": state, "callbacks": {}}, path)
    expect(path, "state_dict.model", raw)
    path = out / "deepspeed.pt"
    torch.save({"module": raw, "buffer_names": [], "optimizer": None, "ds_version": "0.14", "param_shapes": []}, path)
    expect(path, "module", raw)
    path = out / "two_models.pth"
    torch.save({"left": {"x": torch.ones(1)}, "right": {"y": torch.ones(2)}, "history": {}}, path)
    refuse(path, "`left` (1 tensor), `right` (1 tensor), `history` (0 tensors); select one with --section")


def prefixes(out):
    raw = weights(2)
    for name, prefix in [("ddp", "module."), ("compiled", "_orig_mod."), ("both", "module._orig_mod."), ("mar", "mar."), ("field", "denoiser.")]:
        path = out / f"prefix_{name}.pth"
        torch.save({"model": prefixed(prefix, raw)}, path)
        expect(path, "model", raw, prefix)
    path = out / "prefix_ddp.safetensors"
    save_file(prefixed("module.", raw), path)
    expect(path, "whole", raw, "module.")
    # With a prefix that the library itself adds.
    path = out / "prefix_swa.pth"
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.ModuleDict({"class_emb": torch.nn.Embedding(3, 2)}))
    state = averaged.state_dict()
    torch.save({"state_dict": {name: tensor for name, tensor in state.items() if name.startswith("module.")}}, path)
    expect(path, "state_dict", {"class_emb.weight": state["module.class_emb.weight"]}, "module.")


def every_type():
    whole = {
        "bool": torch.tensor([True, False, True]),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "i16": torch.tensor([-32768, 32767], dtype=torch.int16),
        "i32": torch.tensor([[-(2**31)], [2**31 - 1]], dtype=torch.int32),
        "i64": torch.tensor([-(2**40), 2**40]),
    }
    floats = torch.tensor([0.0, -1.0, 0.3, 100.0, -0.01])
    dtypes = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
    return {**whole, **{NAMES[dtype]: floats.to(dtype) for dtype in dtypes}}


def types(out):
    tensors = {**every_type(), "u16": torch.tensor([0, 65535], dtype=torch.uint16)}
    path = out / "types.pth"
    torch.save(tensors, path)
    expect(path, "whole", tensors)
    path = out / "types.safetensors"
    save_file(tensors, path)
    expect(path, "whole", tensors)
    path = out / "types_legacy.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    expect(path, "whole", tensors)


def views():
    table = torch.arange(12.0).reshape(3, 4)
    return {
        "table": table,
        "transposed": table.t(),
        "row": table[1],
        "column": table[:, 2],
        "every_other": table[::2, 1::2],
        "expanded": torch.arange(3.0)[:, None].expand(3, 4),
        "scalar": table[2, 3],
        "empty": table[:0],
    }


def storages(out):
    tensors = views()
    for name, arguments in [("views", {}), ("views_legacy", {"_use_new_zipfile_serialization": False}), ("views_legacy_4", {"_use_new_zipfile_serialization": False, "pickle_protocol": 4}), ("views_protocol_5", {"pickle_protocol": 5})]:
        path = out / f"{name}.pth"
        torch.save(tensors, path, **arguments)
        expect(path, "whole", tensors)
    path = out / "no_checksums.pth"
    torch.serialization.set_crc32_options(False)
    torch.save(tensors, path)
    torch.serialization.set_crc32_options(True)
    expect(path, "whole", tensors)


class Named(torch.Tensor):
    """A subclass of Tensor, as some libraries use."""


# The name of a module that does not exist on the reading side, where it must not be imported.
Named.__module__ = "somewhere"
sys.modules["somewhere"] = sys.modules[__name__]


def wrapped(out):
    state, plain = torch.nn.Parameter(torch.arange(4.0).reshape(2, 2)), torch.nn.Parameter(torch.ones(2))
    state.tensor_model_parallel = True
    of_class = torch.arange(3.0).as_subclass(Named)
    path = out / "parameters.pth"
    torch.save({"model": {"with_state": state, "plain": plain, "of_class": of_class}}, path)
    expect(path, "model", {"with_state": state, "plain": plain, "of_class": torch.arange(3.0)})
    path = out / "whole_module.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    refuse(path, "a whole Python object, built by `torch.nn.modules.linear.Linear`")
    path = out / "one_tensor.pth"
    torch.save(torch.ones(2), path)
    refuse(path, "one tensor without a name")


def parts(out):
    tensors = weights(3)
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    names = list(tensors)
    save_file({name: tensors[name] for name in names[:2]}, out / first)
    save_file({name: tensors[name] for name in names[2:]}, out / second)
    places = {name: first if name in names[:2] else second for name in names}
    path = out / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 40}, "weight_map": places}))
    expect(path, "whole", tensors)


def strangers(out):
    """Other files in place of a checkpoint."""
    texts = {
        "lfs.pth": ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3769000000\n", "git lfs pull"),
        "page.pth": ("<!DOCTYPE html><html><head><title>Dropbox - x.pth</title></head></html>", "a web page (Dropbox - x.pth)"),
        "denied.safetensors": ('{"error":"Invalid username or password."}', "an error message (Invalid username or password.)"),
        "empty.pth": ("", "it is empty"),
    }
    for name, (text, says) in texts.items():
        (out / name).write_text(text)
        refuse(out / name, says)
    numpy.savez(out / "arrays.npz", x=numpy.ones(2))
    refuse(out / "arrays.npz", "a NumPy archive")
    numpy.save(out / "array.npy", numpy.ones(2))
    refuse(out / "array.npy", "a NumPy array")
    Image.new("RGB", (2, 2)).save(out / "picture.png")
    refuse(out / "picture.png", "a PNG image")
    Image.new("RGB", (2, 2)).save(out / "picture.jpg")
    refuse(out / "picture.jpg", "a JPEG image")
    whole = (out / "types.pth").read_bytes()
    (out / "half.pth").write_bytes(whole[: len(whole) // 2])
    refuse(out / "half.pth", "truncated")
    whole = (out / "views_legacy.pth").read_bytes()
    (out / "half_legacy.pth").write_bytes(whole[:-8])
    refuse(out / "half_legacy.pth", "truncated")
    whole = (out / "types.safetensors").read_bytes()
    (out / "half.safetensors").write_bytes(whole[:-8])
    refuse(out / "half.safetensors", "truncated")
    import pickle

    (out / "plain.pkl").write_bytes(pickle.dumps({"x": [1.0]}))
    refuse(out / "plain.pkl", "a Python pickle, but not from torch.save")


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for make in [sections, prefixes, types, storages, wrapped, parts, strangers]:
        make(out)
    (out / "expected.json").write_text(json.dumps(EXPECTED, indent=1) + "\n")


if __name__ == "__main__":
    main()
