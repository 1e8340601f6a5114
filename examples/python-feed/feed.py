# feed.py
"""Appends the messages of an upstream to a file, each once, however often it is killed.

The file is the cursor, too: a line has its message's cursor, and a line that a crash has cut off is written again.
"""
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

SERVICE = os.environ.get("SIDESOCKET_URL", "http://127.0.0.1:8787")


def page(after):
    """Returns the messages after a cursor, once there are some."""
    url = f"{SERVICE}/v1/upstreams/default/messages?wait=30&limit=100&after={after}"
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return json.load(response)["messages"]
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        if error.code == 410:  # messages after the cursor are lost: go on with the oldest that is kept
            return [{"cursor": problem["resume"], "gap": {"after": after, "dropped": problem["dropped"]}}]
        if problem["retry"] == "never":
            sys.exit(f"{problem['code']}: {problem['detail']}")
    except (OSError, http.client.HTTPException) as error:
        print(f"the service does not respond: {error}", file=sys.stderr)
    time.sleep(1)
    return []


def open_feed(path):
    """Opens the file behind its last whole line, and returns that line's cursor, too."""
    file = open(path, "ab+")
    file.seek(0)
    cursor, end = "earliest", 0
    for line in file:
        if line.endswith(b"\n"):
            cursor, end = json.loads(line)["cursor"], end + len(line)
    file.truncate(end)
    return file, cursor


file, cursor = open_feed(sys.argv[1])
left = int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize
while left > 0:
    messages = page(cursor)[:left]
    if not messages:
        continue
    file.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
    file.flush()
    os.fsync(file.fileno())
    cursor = messages[-1]["cursor"]
    left -= len(messages)
