"""E-mail by SMTP, with the standard library's client."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from lakesmith.alerts.channels.channel import Undelivered
from lakesmith.alerts.messages import Message
from lakesmith.config.secrets import revealed
from lakesmith.config.sections.alerts import EmailSettings
from lakesmith.errors import LakesmithError

__all__ = ["EmailChannel"]


class EmailChannel:
    """Sends a message to all addresses at once.

    Args:
        settings: with a host, a sender and addresses.
        timeout: seconds for each answer of the server.
    """

    name = "email"

    def __init__(self, settings: EmailSettings, timeout: float) -> None:
        assert settings.host is not None
        self._settings = settings
        self._host = settings.host
        self._timeout = timeout
        self.least: str = settings.least

    def send(self, message: Message) -> None:
        """Hands it to the server.

        Raises:
            Undelivered: the server was not reached, or refused it or one of the addresses.
        """
        where = f"{self._host}:{self._settings.port}"
        try:
            with self._connected() as server:
                refused = server.send_message(self._mail(message))
        except smtplib.SMTPResponseException as error:
            # What a server says may quote addresses.
            raise Undelivered(self.name, f"{where} answered {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as error:
            raise Undelivered(self.name, f"{where} refused all {len(error.recipients)} addresses") from None
        except LakesmithError as error:
            # A secret that is not to be had; its reference is none.
            raise Undelivered(self.name, str(error)) from None
        except ssl.SSLError as error:
            raise Undelivered(
                self.name, f"{where}: TLS failed ({error.reason or 'no reason given'})"
            ) from None
        except smtplib.SMTPServerDisconnected:
            # Which of the two it was, smtplib says in a text only.
            raise Undelivered(self.name, f"{where} closed the connection, or said nothing in time") from None
        except TimeoutError:
            raise Undelivered(self.name, f"{where}: no answer in time") from None
        except (OSError, ValueError, smtplib.SMTPException) as error:
            said = getattr(error, "strerror", None) or type(error).__name__
            raise Undelivered(self.name, f"{where}: {said}") from None
        if refused:
            addresses = len(self._settings.to)
            raise Undelivered(self.name, f"{where} refused {len(refused)} of {addresses} addresses")

    def _connected(self) -> smtplib.SMTP:
        given = self._settings
        if given.security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, given.port, timeout=self._timeout, context=context
            )
        else:
            server = smtplib.SMTP(self._host, given.port, timeout=self._timeout)
        try:
            if given.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if (username := revealed(given.username)) is not None and given.password is not None:
                server.login(username, given.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.title
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.to)
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid("lakesmith", domain="lakesmith.invalid")
        # No holiday reply should come back.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail
