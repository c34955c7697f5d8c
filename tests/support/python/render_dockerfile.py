"""Prints, as JSON, what repo2docker would build the repository in the working folder with.

The Julia versions that there are, which repo2docker asks julialang.org for, are given; all else is its own. No Docker is needed:
the Dockerfile is rendered and not built.
"""

import json
import sys
from unittest import mock

from repo2docker.app import Repo2Docker
from repo2docker.buildpacks import JuliaProjectTomlBuildPack

app = Repo2Docker()
with mock.patch.object(
    JuliaProjectTomlBuildPack, "all_julias", ["1.5.4", "1.6.7", "1.10.10", "1.11.6", "1.12.1"]
):
    for pack_class in app.buildpacks:
        pack = pack_class(base_image=app.base_image)
        if pack.detect():
            break
    else:
        sys.exit("repo2docker knows no build pack for this repository")
    pack.platform = "linux/amd64"
    dockerfile = pack.render({"NB_USER": "jovyan", "NB_UID": "1000"})
json.dump(
    {
        "pack": type(pack).__name__,
        "base_image": app.base_image,
        "post_build": pack.get_post_build_scripts(),
        "dockerfile": dockerfile,
    },
    sys.stdout,
)
