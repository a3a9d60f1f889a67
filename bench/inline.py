"""What simple webhook servers do: Flask on gunicorn validates, mails inline through smtplib, and answers.

`gunicorn --workers 2 --threads 4 bench.inline:app`, with TOKEN and SMTP_PORT in the environment.
"""

import hmac
import os
import smtplib
from email.message import EmailMessage

from flask import Flask, Response, abort, jsonify, request

app = Flask(__name__)


@app.get("/health")
def health() -> Response:
    """Report that it is up."""
    return jsonify(status="healthy")


@app.post("/webhook/particle")
def accept() -> tuple[Response, int]:
    """Check, mail, answer."""
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {os.environ['TOKEN']}".encode()):
        abort(401)
    event = request.get_json()
    if not isinstance(event.get("event"), str):
        abort(422)
    mail = EmailMessage()
    mail["From"], mail["To"] = "alerts@example.net", "me@example.com"
    mail["Subject"] = f"{event.get('coreid')}: {event['event']}"
    mail.set_content(str(event.get("data")))
    with smtplib.SMTP("127.0.0.1", int(os.environ["SMTP_PORT"])) as server:
        server.send_message(mail)
    return jsonify(status="sent"), 202
