# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write image archives with one layer, as `ctr images import` takes them: no container engine is needed to make them.

The format is that of `docker save` (image-spec of Docker, v1.2): a layer, a configuration and manifest.json.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import typing as t
from pathlib import Path, PurePosixPath

__all__ = ["ENVIRONMENT", "write_image"]

#: The variables of every container. Go's collector of garbage runs less often: three masters share few processors, and
#: have memory to spare (runtime package, GOGC).
ENVIRONMENT = ("PATH=/usr/local/bin:/usr/bin:/bin", "GOGC=400")


def write_image(
    archive: Path, reference: str, files: t.Mapping[str, Path], *, entrypoint: t.Sequence[str] | None = None
) -> None:
    """Write an image that holds these files (path in the image: file here) with their bytes and mode 0755."""
    layer = _layer(files)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ENVIRONMENT, "Entrypoint": entrypoint},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(archive, "w") as stream:
        _add(stream, f"{digest}/layer.tar", layer)
        _add(stream, name, config)
        _add(stream, "manifest.json", json.dumps(manifest).encode())


def _add(stream: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    stream.addfile(entry, io.BytesIO(data))


def _layer(files: t.Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    made = {PurePosixPath("/")}
    with tarfile.open(fileobj=buffer, mode="w") as stream:
        for path in (PurePosixPath("/tmp/x"), *map(PurePosixPath, files)):
            for folder in reversed(path.parents):
                if folder not in made:
                    made.add(folder)
                    entry = tarfile.TarInfo(str(folder).lstrip("/"))
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    stream.addfile(entry)
            if str(path) in files:
                _add(stream, str(path).lstrip("/"), files[str(path)].read_bytes(), 0o755)
    return buffer.getvalue()
