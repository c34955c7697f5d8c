"""Measures how long a kernel takes from its start to a notebook's first picture.

    python measure.py KERNEL NOTEBOOK

Starts the kernel through Jupyter's client, runs the code cells up to the first one that shows an SVG, and prints the seconds
from the start of the process to the arrival of that picture, and those to the kernel's first answer.
"""

import os
import sys
import time

import nbformat
from jupyter_client.manager import KernelManager


def main(kernel, path):
    notebook = nbformat.read(path, as_version=4)
    manager = KernelManager(kernel_name=kernel)
    start = time.monotonic()
    manager.start_kernel(cwd=os.path.dirname(os.path.abspath(path)), stderr=sys.stderr)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        ready = time.monotonic() - start
        for cell in notebook.cells:
            if cell.cell_type == "code" and shows_picture(client, cell.source):
                print(f"{time.monotonic() - start:.3f} {ready:.3f}")
                return
        sys.exit("no cell shows a picture")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def shows_picture(client, code):
    """Runs a cell; stops at its first picture."""
    message_id = client.execute(code)
    while True:
        message = client.get_iopub_msg(timeout=300)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind in ("execute_result", "display_data") and "image/svg+xml" in content["data"]:
            return True
        if kind == "error":
            sys.exit("\n".join(content["traceback"]))
        if kind == "status" and content["execution_state"] == "idle":
            return False


main(*sys.argv[1:])
