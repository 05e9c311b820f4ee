"""A worker that tells how it is over HTTP.

celeriac -A http_endpoint worker --http 127.0.0.1:8080
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import click

from celeriac import Celery
from celeriac.bootsteps import StartStopStep

app = Celery("http_endpoint")
app.user_options["worker"].add(click.Option(["--http"], metavar="HOST:PORT", help="Serve the worker's state there."))


class HttpEndpoint(StartStopStep):
    # The pool forks its children before this starts, so that none of them inherits the socket.
    requires = ("celeriac.worker.components:Pool",)

    def __init__(self, parent, http=None, **options):
        super().__init__(parent, **options)
        self.enabled = http is not None
        self.address = http

    def create(self, parent):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                consumer = parent.consumer
                state = {"hostname": parent.hostname, "claiming": consumer.is_claiming, "running": consumer.running}
                body = json.dumps(state).encode()
                self.send_response(200 if consumer.is_claiming else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format, *args):
                pass  # a look every second is no news

        host, _, port = self.address.rpartition(":")
        return ThreadingHTTPServer((host or "127.0.0.1", int(port)), Handler)

    def start(self, parent):
        host, port = self.obj.server_address[:2]
        print(f"serving http://{host}:{port}/", flush=True)
        self.thread = Thread(target=self.obj.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True)
        self.thread.start()

    def stop(self, parent):
        if self.obj is not None:
            self.obj.shutdown()
            self.obj.server_close()
            self.obj = None

    terminate = stop


app.steps["worker"].add(HttpEndpoint)


@app.task
def add(x, y):
    return x + y
