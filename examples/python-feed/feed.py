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


def get(url):
    """Returns the status of a response, whatever it is, and its JSON."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def page(after):
    """Returns the messages after a cursor, once there are some."""
    try:
        status, body = get(f"{SERVICE}/v1/upstreams/default/messages?wait=30&limit=100&after={after}")
        if status == 200:
            return body["messages"]
        if status == 410:  # messages after the cursor are lost: go on with the oldest that is kept
            return [{"cursor": body["resume"], "gap": {"after": after, "dropped": body["dropped"]}}]
        if body["retry"] == "never":
            sys.exit(f"{body['code']}: {body['detail']}")
        print(f"trying again: {body['code']}: {body['detail']}", file=sys.stderr)
    except (OSError, http.client.HTTPException) as error:
        print(f"the service does not respond: {error}", file=sys.stderr)
    except (ValueError, LookupError, TypeError):  # such as a page of a proxy in between
        print("trying again: the response is not the service's", file=sys.stderr)
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


if len(sys.argv) < 2:
    sys.exit("give it the file to append to, and if you like the number of messages: feed.py FILE [COUNT]")
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
