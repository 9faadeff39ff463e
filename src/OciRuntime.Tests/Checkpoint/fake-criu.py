#!/usr/bin/python3
"""Stands in for criu where a real one cannot be had to misbehave: `criu swrk 3` as its $FAKE_CRIU says. What it is asked is decoded by
criu's own Python bindings, which know nothing of ocirun's encoder, and written to $FAKE_CRIU_RECORD."""
import os
import signal
import socket
import sys
import time

from google.protobuf import text_format
from pycriu import rpc_pb2 as rpc

mode = os.environ["FAKE_CRIU"]
channel = socket.socket(fileno=3)


def receive():
    message = channel.recv(1 << 20)
    if not message:
        sys.exit(0)
    request = rpc.criu_req()
    request.ParseFromString(message)
    return request




# Stays there when the connection is closed, like a process that hangs in the kernel.
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

assert receive().type == rpc.VERSION
version = rpc.criu_resp(type=rpc.VERSION, success=True)
version.version.major_number, version.version.minor_number = (3, 10) if mode == "old" else (3, 17)
channel.send(version.SerializeToString())
request = receive()
if request.type == rpc.FEATURE_CHECK:
    channel.send(rpc.criu_resp(type=rpc.FEATURE_CHECK, success=True, features=rpc.criu_features(mem_track=mode != "no-tracking", lazy_pages=False)).SerializeToString())
    request = receive()
with open(os.environ["FAKE_CRIU_RECORD"], "w", encoding="utf-8") as record:
    record.write(text_format.MessageToString(request))

if mode == "garbage":
    channel.send(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
elif mode == "flood":
    channel.send(b"\x0a" * 100000)
elif mode == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif mode == "gone":
    sys.exit(3)
elif mode == "stranger":
    # A process that is not ocirun's: nothing may be done to it.
    notify = rpc.criu_resp(type=rpc.NOTIFY, success=True, notify=rpc.criu_notify(script="post-restore", pid=int(os.environ["FAKE_CRIU_PID"])))
    channel.send(notify.SerializeToString())
    assert not receive().notify_success
elif mode in ("hang", "stubborn"):
    while mode == "stubborn" or channel.recv(1):
        time.sleep(1)
elif mode == "refuse":
    with open(f"/proc/{os.getppid()}/fd/{request.opts.images_dir_fd}/{request.opts.log_file}", "w", encoding="utf-8") as log:
        log.write("(00.1) Error (criu/a.c:1): the \x1b[1mreason\n(00.2) Error (criu/cr-dump.c:2): Dumping FAILED.\n")
    channel.send(rpc.criu_resp(type=request.type, success=False, cr_errno=2).SerializeToString())
time.sleep(0.1)
