#!/usr/bin/env bash
# tritonclient's HTTP client leaves `Content-Encoding` in the headers that a caller gave it, and the next request lies.
#
# Version: tritonclient 2.73.0 with geventhttpclient 2.3.4, gevent 25.9.1 and numpy 2.4.6 (from the package index).
# Expected: `headers` is what to send besides, for this call; `request_compression_algorithm` is of this call, too.
# Behaviour: infer(headers=h, request_compression_algorithm="gzip") writes `Content-Encoding: gzip` into h, and the length of the
#     request's JSON. A second call with the same h
#     and no compression sends the first header with a body that is not compressed, which a server cannot read; without h all is well.
# Output:
SAID='headers given, compressed: said gzip, was gzip
the same headers, not compressed: said gzip, was plain
the caller'"'"'s headers: Content-Encoding, Inference-Header-Content-Length, authorization
no headers, compressed: said gzip, was gzip
no headers, not compressed: said nothing, was plain'
# Who is hurt: clients that keep a dictionary with their token, and compress large batches only: Triton, and every server of the Open
#     Inference Protocol, answers the smaller ones with an error.
# Fails if that changes. Needs python3 with pip and venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    tritonclient==2.73.0 geventhttpclient==2.3.4 gevent==25.9.1 numpy==2.4.6 python-rapidjson urllib3
cat >"$work/client.py" <<'PYTHON'
import http.server
import threading

import numpy as np
import tritonclient.http as triton

seen = []


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        was = "gzip" if body[:2] == b"\x1f\x8b" else "plain"
        seen.append(f"said {self.headers.get('Content-Encoding', 'nothing')}, was {was}")
        answer = b'{"model_name": "m", "outputs": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = triton.InferenceServerClient(f"127.0.0.1:{server.server_port}")
values = triton.InferInput("input", [1, 4], "FP32")
values.set_data_from_numpy(np.zeros((1, 4), np.float32))
given = {"authorization": "Bearer token"}
client.infer("m", [values], headers=given, request_compression_algorithm="gzip")
client.infer("m", [values], headers=given)
client.infer("m", [values], request_compression_algorithm="gzip")
client.infer("m", [values])
print("headers given, compressed:", seen[0])
print("the same headers, not compressed:", seen[1])
print("the caller's headers:", ", ".join(sorted(given)))
print("no headers, compressed:", seen[2])
print("no headers, not compressed:", seen[3])
PYTHON
said=$("$work/venv/bin/python" "$work/client.py")
echo "$said"
[ "$said" = "$SAID" ]
