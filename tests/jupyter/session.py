"""What a person does with a kernel besides running cells: interrupt it, complete names, answer questions, end it.

    python session.py KERNEL

Prints what happened, as JSON.
"""

import json
import sys
import time

from jupyter_client.manager import KernelManager

TIMEOUT = 120


def main(kernel):
    manager = KernelManager(kernel_name=kernel)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=TIMEOUT)
        seen = {"interrupted": interrupt(manager, client)}
        seen["after"] = run(client, "answer = 6 * 7")["status"]
        seen["completed"] = client.complete("answ", reply=True, timeout=TIMEOUT)["content"]["matches"]
        seen["incomplete"] = answer(client, client.is_complete("for i in 1:3"))["status"]
        seen["asked"] = ask(client)
        time.sleep(2)
        seen["beats"] = client.hb_channel.is_beating()
        started = time.monotonic()
        manager.shutdown_kernel()
        seen["ended"] = not manager.is_alive() and time.monotonic() - started < 4
        json.dump(seen, sys.stdout)
    finally:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)


def answer(client, message_id):
    """What the kernel answers to a request."""
    while True:
        reply = client.get_shell_msg(timeout=TIMEOUT)
        if reply["parent_header"].get("msg_id") == message_id:
            return reply["content"]


def run(client, code):
    return client.execute(code, reply=True, timeout=TIMEOUT)["content"]


def interrupt(manager, client):
    """Interrupts a cell that sleeps; returns the kind of error that it ended with."""
    message_id = client.execute('println("asleep"); sleep(100)')
    while True:
        message = client.get_iopub_msg(timeout=TIMEOUT)
        of_cell = message["parent_header"].get("msg_id") == message_id
        if of_cell and message["msg_type"] == "execute_input":
            break
    time.sleep(2)
    manager.interrupt_kernel()
    return answer(client, message_id).get("ename")


def ask(client):
    """A cell that asks for a line; returns what it made of the answer."""
    client.allow_stdin = True
    message_id = client.execute('import IJulia; reply = IJulia.readprompt("name? ")', allow_stdin=True)
    question = client.get_stdin_msg(timeout=TIMEOUT)["content"]["prompt"]
    client.input("Ada")
    while True:
        message = client.get_iopub_msg(timeout=TIMEOUT)
        if message["parent_header"].get("msg_id") == message_id and message["msg_type"] == "execute_result":
            return question + message["content"]["data"]["text/plain"]


main(*sys.argv[1:])
