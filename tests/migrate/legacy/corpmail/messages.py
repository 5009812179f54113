"""Messages as everybody here composes them. Nothing is sent from here; smtplib.SMTP.send_message() comes later."""

from email.message import EmailMessage


def compose(to: str, subject: str, text: str = "", *, sender: str = "robot@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text or f"{subject}.\n")
    return message
