"""Writes packed/*.bin: pairs as insightface packs them, a pickle of (photographs, same), by every Python and protocol.

The photographs are no pictures but bytes of every value, which is what the forms of pickles differ in. insightface's own
sets were written by Python 2; where a Python 2.7 is found (`pyenv`, or `python2.7` on the path), it writes its files too.
"""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

PHOTOGRAPHS = [bytes(range(256)), b"\xff\xd8\xff\xe0", b"'\"\\\n\r\t\0", b"plain"]
SAME = [True, False]

PYTHON_2 = """
import pickle, sys
photographs = [''.join(map(chr, range(256))), '\\xff\\xd8\\xff\\xe0', '\\'"\\\\\\n\\r\\t\\0', 'plain']
for protocol in range(3):
    with open('%s/python2_%d.bin' % (sys.argv[1], protocol), 'wb') as out:
        pickle.dump((photographs, [True, False]), out, protocol=protocol)
"""


def main():
    out = Path(sys.argv[1]) / "packed"
    out.mkdir(parents=True, exist_ok=True)
    for protocol in range(6):
        (out / f"python3_{protocol}.bin").write_bytes(pickle.dumps((PHOTOGRAPHS, SAME), protocol=protocol))
    arrays = [np.frombuffer(photograph, np.uint8) for photograph in PHOTOGRAPHS]
    several = {
        "numpy_list": (PHOTOGRAPHS, [np.bool_(same) for same in SAME]),
        "numpy_array": (arrays, np.array(SAME)),
    }
    for name, value in several.items():
        for protocol in (2, 4):
            (out / f"{name}_{protocol}.bin").write_bytes(pickle.dumps(value, protocol=protocol))
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/2.7*/bin/python"))
    python2 = pyenv[-1] if pyenv else shutil.which("python2.7")
    if python2:
        subprocess.run([str(python2), "-c", PYTHON_2, str(out)], check=True)
    else:
        print("no Python 2.7: its files are left as they are")


if __name__ == "__main__":
    main()
