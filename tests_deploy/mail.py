"""A real mail server on this machine, reachable from the containers: STARTTLS, a login, and a certificate to verify."""

import asyncio
import ssl
import threading
from email.message import EmailMessage

import trustme

from tests.fakes import MailSink
from tests_deploy.stack import wait_for

USER, PASSWORD = "alerts@example.net", "abcd-efgh-ijkl-mnop"


class Mail:
    """The server, in a thread of its own."""

    def __init__(self, authority: trustme.CA, address: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("mail.test").configure_cert(context)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.sink = MailSink(user=USER, password=PASSWORD, tls=context, address=address)
        self.start()

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self.sink.start(), self._loop).result(10)

    def stop(self) -> None:
        """Refuse connections, and break those that are open."""
        asyncio.run_coroutine_threadsafe(self.sink.stop(), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._abort(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _abort(self) -> None:
        await self.sink.end()
        for protocol in self.sink.protocols:
            if protocol.transport:
                protocol.transport.abort()  # the peer may be gone, and never close the connection
        await asyncio.sleep(0.1)

    def hold(self) -> None:
        """From now on, accept a mail's content without answering."""
        self._loop.call_soon_threadsafe(self.sink.open.clear)
        self._loop.call_soon_threadsafe(self.sink.talking.clear)

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self.sink.open.set)

    def wait_until_held(self) -> None:
        """Wait until the server holds a mail that it hasn't answered."""
        wait_for(self.sink.talking.is_set)

    def about(self, event: str) -> list[EmailMessage]:
        """The mails whose subject ends with an event's name."""
        return [received.mail for received in self.sink.messages if str(received.mail["Subject"]).endswith(event)]
