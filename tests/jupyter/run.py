"""Runs a notebook through Jupyter's own client, and prints what came out.

    python run.py KERNEL NOTEBOOK

Prints a list with, for each code cell, the list of its outputs without what differs from run to run: execution counts, and
addresses in tracebacks. Cells that fail do not stop those that follow.
"""

import json
import os
import sys

import nbformat
from nbclient import NotebookClient


def main(kernel, path):
    notebook = nbformat.read(path, as_version=4)
    folder = os.path.dirname(os.path.abspath(path))
    client = NotebookClient(
        notebook, kernel_name=kernel, allow_errors=True, timeout=300, startup_timeout=120,
        resources={"metadata": {"path": folder}},
    )
    client.execute()
    nbformat.validate(notebook)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            output.pop("execution_count", None)
            output.pop("traceback", None)
        cells.append(cell.outputs)
    json.dump(cells, sys.stdout, indent=1, sort_keys=True)


main(*sys.argv[1:])
