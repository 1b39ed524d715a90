"""The run-time compiler's library, by ctypes: CUDA to PTX without a GPU."""

import ctypes
from pathlib import Path

import nvidia


def _library():
    for folder in nvidia.__path__:
        for path in sorted(Path(folder).glob("cu13/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    raise SystemExit("no libnvrtc among the installed packages")


_nvrtc = _library()
_nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p


def _check(code):
    if code:
        raise RuntimeError("NVRTC: " + _nvrtc.nvrtcGetErrorString(code).decode())


def version():
    """(major, minor) of the compiler."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(_nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return major.value, minor.value


def _text(program, what):
    size = ctypes.c_size_t()
    _check(getattr(_nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(getattr(_nvrtc, f"nvrtcGet{what}")(program, buffer))
    return buffer.value.decode()


def compile(name, text, headers, architecture):
    """The PTX of CUDA source; `headers` maps the names it includes to their text."""
    program = ctypes.c_void_p()
    strings = lambda texts: (ctypes.c_char_p * len(texts))(*[t.encode() for t in texts])
    names, texts = strings(list(headers)), strings(list(headers.values()))
    _check(_nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), name.encode(), len(headers), texts, names))
    flags = ["--std=c++17", f"--gpu-architecture={architecture}"]
    failed = _nvrtc.nvrtcCompileProgram(program, len(flags), strings(flags))
    if failed:
        raise RuntimeError(f"{name} for {architecture}:\n{_text(program, 'ProgramLog')}")
    ptx = _text(program, "PTX")
    _nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return ptx
